"""How many replicas a version has, how much each is sent, when a crashed one comes back: decisions without I/O."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from mixpeek.contract.manifest import Manifest, ServeConfig
from mixpeek.execution.port import CALL_TIMEOUT_S, DESCRIBE_TIMEOUT_S, GIB, START_TIMEOUT_S

DEFAULT_BATCH_SIZE = 16
DEFAULT_QUEUE = 256
DEFAULT_TARGET = 2.0
# Load must last this long before replicas are added, and be gone this long before they are taken away.
UP_AFTER_S = 1.0
DOWN_AFTER_S = 60.0
# What a replica is sent ahead of its answers, so that it never waits for the next request.
AHEAD_S = 0.005
MOST_AHEAD = 64
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
# By when an API process has heard that a green host is wanted, and unpacked what it runs.
HEARD_OF_WITHIN_S = 30.0
# A replica that lived this long has not crashed "again".
STABLE_S = 30.0


@dataclass(frozen=True)
class ServePlan:
    """What a manifest asks of realtime, with every default filled in; times in seconds."""

    initial: int = 1
    fewest: int = 1
    most: int = 1
    target_ongoing: float = DEFAULT_TARGET
    batch_size: int = DEFAULT_BATCH_SIZE
    queue: int = DEFAULT_QUEUE
    ahead: int = 2
    timeout_s: float = CALL_TIMEOUT_S
    start_timeout_s: float = START_TIMEOUT_S
    memory_bytes: int = 2 * GIB
    idle_s: float = 300.0


def plan_from_manifest(manifest: Manifest, *, idle_s: float, cores: int | None = None) -> ServePlan:
    """Return the plan a manifest asks for.

    Without minimum and maximum there are always `num_replicas`. `num_cpus` keeps autoscaling within the machine.
    `max_concurrency` calls are sent to one replica at a time: one runs, the others are next.
    """
    serve, profile = manifest.serve_config or ServeConfig(), manifest.compute_profile
    fewest = serve.num_replicas if serve.min_replicas is None else serve.min_replicas
    if serve.max_replicas is not None and serve.min_replicas is None:
        fewest = min(serve.num_replicas, serve.max_replicas)
    most = max(fewest, 1, serve.num_replicas if serve.max_replicas is None else serve.max_replicas)
    if serve.num_cpus:
        most = max(fewest, 1, min(most, int((cores or os.cpu_count() or 1) / serve.num_cpus)))
    return ServePlan(
        initial=max(1, fewest, min(serve.num_replicas, most)),
        fewest=fewest,
        most=most,
        target_ongoing=serve.target_ongoing_requests or DEFAULT_TARGET,
        batch_size=serve.max_batch_size or DEFAULT_BATCH_SIZE,
        queue=serve.max_queued_requests or DEFAULT_QUEUE,
        ahead=profile.max_concurrency,
        timeout_s=serve.timeout_s or CALL_TIMEOUT_S,
        start_timeout_s=serve.start_timeout_s or START_TIMEOUT_S,
        memory_bytes=int((serve.memory_gb or profile.actor_memory_gb) * GIB),
        idle_s=idle_s,
    )


def start_limit_s(plan: ServePlan) -> float:
    """Return how long a green replica may be waited for, in seconds: somewhat longer than its own limits allow.

    It is started and built, once more if its steps need a network or a GPU, then warmed up.
    """
    build_s = max(DESCRIBE_TIMEOUT_S, plan.timeout_s)
    return 2 * (plan.start_timeout_s + build_s) + plan.start_timeout_s + HEARD_OF_WITHIN_S


@dataclass(frozen=True)
class Pressure:
    """Since when more, or fewer, replicas would fit the load; None while they would not."""

    above_since: float | None = None
    below_since: float | None = None


def scale(
    plan: ServePlan, pressure: Pressure, *, ongoing: int, current: int, now: float, idle_since: float
) -> tuple[int, Pressure]:
    """Return how many replicas there should be, and the pressure to hand in next time.

    Args:
        ongoing: requests that wait or are being answered.
        current: replicas there should be until now.
        now, idle_since: seconds on one clock; `idle_since` is when the last request was answered.
    """
    fitting = min(plan.most, max(plan.fewest, math.ceil(ongoing / plan.target_ongoing)))
    if fitting > current:
        since = now if pressure.above_since is None else pressure.above_since
        # With none running there is nothing to wait for: somebody is.
        ready = current == 0 or now - since >= UP_AFTER_S
        return (fitting, Pressure()) if ready else (current, Pressure(above_since=since))
    if fitting < current:
        since = now if pressure.below_since is None else pressure.below_since
        patience = plan.idle_s if fitting == 0 and current == 1 else DOWN_AFTER_S
        if fitting == 0 and current == 1:
            since = max(since, idle_since)
        elif fitting == 0:
            fitting = 1
        return (fitting, Pressure()) if now - since >= patience else (current, Pressure(below_since=since))
    return current, Pressure()


def most_under_way(plan: ServePlan, *, batch_size: int, seconds: float) -> int:
    """Return how many requests a replica is sent before it has answered the earlier ones.

    Enough that it never waits for the next: calls of its batch size, and what it answers within 5 ms. No more, as what
    waits here can still go to another replica, and is not lost with this one.

    Args:
        batch_size: most requests one call of this replica answers.
        seconds: mean time it takes for one request; 0 while none was answered.
    """
    quick = MOST_AHEAD if seconds * MOST_AHEAD <= AHEAD_S and seconds else int(AHEAD_S / seconds) if seconds else 0
    return max(plan.ahead * batch_size, quick, 2)


def backoff_s(crashes: int) -> float:
    """Return how long to wait before a replica is started again, after so many crashes in a row."""
    if crashes <= 1:
        return 0.0
    return float(min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(crashes - 2, 16)))


def retry_after_s(*, waiting: int, replicas: int, seconds: float) -> float:
    """Return when a request refused now may find room: once what waits is answered, 1 to 30 seconds."""
    return min(30.0, max(1.0, waiting * seconds / max(1, replicas)))
