"""Which faults of rows are worth trying again, how often, and when a batch has had too many. Pure.

Permanent: what the row, or the code, will do again: raising, shapes, values. Transient: a host that died, ran out of
time or memory, and a network that did not answer.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from mixpeek.errors import HostLost, MixpeekError, PlatformError

NETWORK = "network"
TRANSIENT = frozenset(
    {"crashed", "timed_out", "out_of_memory", "cpu_exceeded", "too_many_threads", "too_many_files", "flooded", NETWORK}
)
# How often a row that stands alone is tried again within its batch: after its host died, after a network's refusal.
CRASH_RETRIES = 1
NETWORK_RETRIES = 3
_FIRST_BACKOFF_S = 0.5
_MOST_BACKOFF_S = 60.0
# Calls that hung or killed their host and that a batch is forgiven: so many, and one for each so many rows that went
# through. Each may cost a time limit or the start of a host; rows that all hang would keep a batch for days.
FORGIVEN = 8
ROWS_PER_FORGIVEN = 16
# Machines that are lost one after another under the same chunk; then it may be its rows.
MOST_LOST = 5


class BatchStopped(PlatformError):
    """The batch was stopped: too much of it failed."""

    code = "batch.stopped"
    hint = "Repair what the cause names, then retry the batch: rows that are stored are not run again"


def cause_of(error: MixpeekError) -> str:
    """Return the stable word that a row's failure is counted by."""
    return NETWORK if "retry_after_s" in error.details else error.code.removeprefix("plugin.")


def retries_of(cause: str) -> int:
    """Return how often a row that failed alone with this cause is tried again in the same batch."""
    if cause == NETWORK:
        return NETWORK_RETRIES
    # One that ran out of time had all of it; of the others the machine may be the cause.
    return CRASH_RETRIES if cause in TRANSIENT and cause != "timed_out" else 0


def backoff_s(attempt: int, asked_s: float = 0.0) -> float:
    """Return how long to wait before a network is asked again, the first time with `attempt` 1."""
    return max(asked_s, min(_MOST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** (attempt - 1)))


@dataclass
class FaultBudget:
    """What one run of a batch may still cost; used from several threads.

    Args:
        share: the share of rows that may fail, from `LEAST_JUDGED` rows on; 1 lets all of them.
    """

    share: float = 1.0
    least_judged: int = 1000
    _rows: int = field(default=0, init=False)
    _failed: int = field(default=0, init=False)
    _costly: int = field(default=0, init=False)
    _lost: Counter[int] = field(default_factory=Counter, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def note_good(self, rows: int) -> None:
        """Note rows that went through."""
        with self._lock:
            self._rows += rows

    def note_failed(self, rows: int, last: str) -> None:
        """Note rows that failed; raise BatchStopped, with the `last` one's words, when too many have."""
        with self._lock:
            self._failed += rows
            judged = self._rows + self._failed
            if judged >= self.least_judged and self._failed > self.share * judged:
                raise BatchStopped(f"{self._failed} of the first {judged} rows failed. Last: {last}")

    def note_costly(self, error: MixpeekError, times: int = 1) -> None:
        """Note calls that hung or killed their host; raise BatchStopped when that happened too often."""
        if cause_of(error) not in TRANSIENT:
            return
        with self._lock:
            self._costly += times
            if self._costly > FORGIVEN + self._rows // ROWS_PER_FORGIVEN:
                raise BatchStopped(
                    f"{self._costly} calls hung or ended their host while {self._rows} rows went through."
                    f" Last: {error.message}"
                )

    def note_lost(self, chunk: int, error: HostLost) -> None:
        """Note a machine that was lost under a chunk; raise BatchStopped when that happened too often under it."""
        with self._lock:
            self._lost[chunk] += 1
            if self._lost[chunk] >= MOST_LOST:
                raise BatchStopped(f"{MOST_LOST} machines were lost under chunk {chunk}. Last: {error.message}")
