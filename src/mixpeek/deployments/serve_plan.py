"""What a manifest asks of realtime: replicas, limits and times, with every default filled in."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mixpeek.contract.manifest import Manifest, ServeConfig
from mixpeek.execution.port import CALL_TIMEOUT_S, DESCRIBE_TIMEOUT_S, GIB, START_TIMEOUT_S

DEFAULT_BATCH_SIZE = 16
DEFAULT_QUEUE = 256
DEFAULT_TARGET = 2.0
# By when an API process has heard that a green host is wanted, and unpacked what it runs.
HEARD_OF_WITHIN_S = 30.0


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
    cpus: float | None = None
    gpus: float | None = None


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
        cpus=serve.num_cpus,
        gpus=serve.num_gpus,
    )


def start_limit_s(plan: ServePlan) -> float:
    """Return how long a green replica may be waited for, in seconds: somewhat longer than its own limits allow.

    It is started and built, once more if its steps need a network or a GPU, then warmed up.
    """
    build_s = max(DESCRIBE_TIMEOUT_S, plan.timeout_s)
    return 2 * (plan.start_timeout_s + build_s) + plan.start_timeout_s + HEARD_OF_WITHIN_S
