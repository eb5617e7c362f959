"""How many replicas a version has, how much each is sent, when a crashed one comes back: decisions without I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mixpeek.deployments.serve_plan import ServePlan

# Load must last this long before replicas are added, and be gone this long before they are taken away.
UP_AFTER_S = 1.0
DOWN_AFTER_S = 60.0
# What a replica is sent ahead of its answers, so that it never waits for the next request.
AHEAD_S = 0.005
MOST_AHEAD = 64
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
# A replica that lived this long has not crashed "again".
STABLE_S = 30.0


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
