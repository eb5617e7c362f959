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
from pathlib import Path

# A call is suspected when it takes so many times as long as its rows took at the slowest so far, and at least so long.
SUSPICION = 3.0
LEAST_SUSPECT_S = 0.5
# Calls that are looked at before any is suspected.
LEAST_CALLS = 3
# Plugin code may catch everything: it is told again until it has ended.
_AGAIN_S = 0.2
# A call's time grows by what its host was kept from a processor meanwhile, to fifty times itself at most: on a busy
# machine an idle host gets a twentieth of one, which it may share with others. Plugin code that makes threads of its
# own to wait for is met by what a call may use of processors.
MOST_KEPT_WAITING = 49


def kept_waiting_s(pid: int | str) -> float:
    """Return for how many seconds in all a process was ready to run but had no processor; 0 where nobody counts it.

    Source: the second figure of /proc/PID/schedstat, of the thread that began the process: in a host, plugin code's.
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


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
        is_armed, kept_before_s = True, kept_waiting_s("self")
        began = time.perf_counter()

        def interrupt(*_: object) -> None:
            if not is_armed:
                return
            # Behind others on a busy machine, it may be late without being slow.
            kept_s = min(max(0.0, kept_waiting_s("self") - kept_before_s), MOST_KEPT_WAITING * seconds)
            left_s = began + seconds + kept_s - time.perf_counter()
            if left_s > 0:
                signal.setitimer(signal.ITIMER_REAL, left_s, _AGAIN_S)
                return
            raise CallInterrupted

        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
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
