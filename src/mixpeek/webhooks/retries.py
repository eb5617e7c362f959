"""When a delivery that failed is tried again, and when it is given up. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_PAUSE_S = 3600.0
# Of each pause this part is left to chance, so that what failed together does not come back together.
_JITTER = 0.25


@dataclass(frozen=True)
class RetryPolicy:
    """Pauses that double from `first_pause_s` up to an hour, for `give_up_s` from the first attempt on.

    Args: disable_s: how long an endpoint must have failed, without one success between, to be disabled.
    """

    first_pause_s: float = 5.0
    give_up_s: float = 24 * 3600.0
    disable_s: float = 72 * 3600.0

    def next_pause_s(
        self, attempts: int, started_at: datetime, now: datetime, *, asked_for_s: float | None = None
    ) -> float | None:
        """Return the seconds until the attempt after so many, None where the delivery has failed for good.

        Args: asked_for_s: what the receiver's `Retry-After` says; followed up to an hour where it is longer.
        """
        longest = min(self.first_pause_s * 2 ** min(attempts - 1, 30), LONGEST_PAUSE_S)
        pause_s = longest * (1 - _JITTER * random.random())  # noqa: S311 - spreads load, guards nothing
        if asked_for_s is not None:
            pause_s = max(pause_s, min(asked_for_s, LONGEST_PAUSE_S))
        is_late = now + timedelta(seconds=pause_s) > started_at + timedelta(seconds=self.give_up_s)
        return None if is_late else pause_s

    def is_to_be_disabled(self, failing_since: datetime, now: datetime) -> bool:
        """Tell whether an endpoint that failed just now has failed for long enough."""
        return now - failing_since >= timedelta(seconds=self.disable_s)
