"""How often to ask whether work has ended, and how long to hold the line: decisions only, no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mixpeek.client.response import Response

Progress = Callable[[Response], None]

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_LONGEST_HOLD_S = 20.0


@dataclass
class Pace:
    """The pauses of one wait.

    Args:
        poll_s: seconds between two questions; None starts at 0.1 and slows down to 2.
        is_watched: somebody looks at the answers on the way, so the server must not hold one back for long.
    """

    poll_s: float | None
    is_watched: bool
    may_hold: bool = True
    _pause_s: float = _FIRST_PAUSE_S

    def hold_s(self, left_s: float | None) -> int | None:
        """Return the whole seconds the server may hold its answer until work has ended; None for an answer at once."""
        if self.poll_s is not None or not self.may_hold:
            return None
        longest = _LONGEST_PAUSE_S if self.is_watched else _LONGEST_HOLD_S
        held = int(longest if left_s is None else min(longest, left_s))
        return held or None

    def pause_s(self, asked_for_s: float) -> float:
        """Return how long to wait after an answer that took `asked_for_s`; one that was held needs no pause."""
        if self.poll_s is not None:
            return self.poll_s
        pause, self._pause_s = self._pause_s, min(self._pause_s * 1.5, _LONGEST_PAUSE_S)
        return max(0.0, pause - asked_for_s)
