"""How much may be said: so many lines and bytes at once, and so many more each second."""

from __future__ import annotations

import time
from collections.abc import Callable

LINES, LINES_PER_S = 2_000.0, 100.0
BYTES, BYTES_PER_S = 4.0 * 1024**2, 128.0 * 1024


class Allowance:
    """A bucket of lines and one of bytes, filled as time goes by."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lines, self._bytes = LINES, BYTES
        self._filled_at = clock()

    def refill(self) -> None:
        """Add what was earned since the last time."""
        now = self._clock()
        elapsed, self._filled_at = now - self._filled_at, now
        self._lines = min(LINES, self._lines + elapsed * LINES_PER_S)
        self._bytes = min(BYTES, self._bytes + elapsed * BYTES_PER_S)

    @property
    def is_left(self) -> bool:
        """Whether another line may be said."""
        return self._lines >= 1 and self._bytes > 0

    def spend(self, size_bytes: int) -> None:
        """Take one line of this size; it may be longer than what is left, the next ones wait for it."""
        self._lines -= 1
        self._bytes -= size_bytes
