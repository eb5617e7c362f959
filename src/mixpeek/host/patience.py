"""How long one call of a processor may take, and the interruption of one that takes longer.

Plugin code runs on the main thread, so an alarm can raise in the middle of it, and the traceback says where it hung.
Code that never comes back to the interpreter is met by whoever started this host, who kills it.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

# A call is suspected when it takes so many times as long as its rows took at the slowest so far, and at least so long.
SUSPICION = 5.0
LEAST_SUSPECT_S = 0.5
# Calls that are looked at before any is suspected.
LEAST_CALLS = 3
# Plugin code may catch everything: it is told again until it has ended.
_AGAIN_S = 0.2


class CallInterrupted(BaseException):
    """Raised inside plugin code whose time is over; no `except Exception` keeps it."""


@dataclass
class Pace:
    """How long a step's calls took; the first one may load a model and says nothing about the others."""

    calls: int = 0
    slowest_row_s: float = 0.0

    def note(self, seconds: float, rows: int) -> None:
        """Note a call that was answered."""
        if self.calls:
            self.slowest_row_s = max(self.slowest_row_s, seconds / rows)
        self.calls += 1

    def suspect_s(self, call_s: float, rows: int) -> float:
        """Return after how long a call is suspected to hang; never later than `call_s`, what a call may take at all."""
        if self.calls <= LEAST_CALLS:
            return call_s
        return min(call_s, max(LEAST_SUSPECT_S, SUSPICION * self.slowest_row_s * rows))


@dataclass
class Patience:
    """The time limits of one run over a table.

    Args:
        call_s: what one call of a processor may take.
        alone: the table is what was suspected before: its calls have all of `call_s`.
        interruptions: how many calls may be interrupted before the rest of the table is left untried.
    """

    call_s: float
    alone: bool = False
    interruptions: int = 8
    interrupted: int = field(default=0, init=False)

    @property
    def is_over(self) -> bool:
        """Whether no further row is to be tried."""
        return self.interrupted >= self.interruptions

    @contextlib.contextmanager
    def limit(self, pace: Pace, rows: int) -> Iterator[float]:
        """Yield the seconds the body may take; raise CallInterrupted inside it after that."""
        seconds = self.call_s if self.alone else pace.suspect_s(self.call_s, rows)
        is_armed = True

        def interrupt(*_: object) -> None:
            if is_armed:
                raise CallInterrupted

        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
        began = time.perf_counter()
        try:
            yield seconds
            pace.note(time.perf_counter() - began, rows)
        except CallInterrupted:
            self.interrupted += 1
            raise
        finally:
            is_armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
