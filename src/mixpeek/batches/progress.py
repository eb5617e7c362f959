"""How fast a batch is of late. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

# What was done so long ago counts about a third of what is done now.
MEMORY_S = 15.0


@dataclass
class Rate:
    """Rows per second, the recent ones counting most.

    Args:
        began_at: seconds of any clock; the first rows are held against it.
    """

    began_at: float
    rows_per_s: float | None = None

    def note(self, rows: int, now: float) -> float | None:
        """Note rows that were done since the last note, and return the rate; None before any time has passed."""
        elapsed = now - self.began_at
        if elapsed <= 0:
            return self.rows_per_s
        current = rows / elapsed
        if self.rows_per_s is None:
            self.rows_per_s = current
        else:
            weight = 1.0 - math.exp(-elapsed / MEMORY_S)
            self.rows_per_s += weight * (current - self.rows_per_s)
        self.began_at = now
        return self.rows_per_s


def eta_s(objects: int, committed: int, rows: int, rows_per_s: float | None) -> float | None:
    """Return the seconds until the objects that are left are done at this rate; None where nothing is known yet."""
    left = objects - committed
    if left <= 0:
        return 0.0
    if not rows_per_s or not committed or not rows:
        return None
    return left * (rows / committed) / rows_per_s
