"""Writes the lines of this process's hosts to the database, a few times a second, from a thread of its own.

Whoever writes a line never waits: lines stand in a bounded queue. Where the database is away they stand there until it
is back; those that find no room are counted, and the count becomes a line of the same log.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import Counter, deque
from collections.abc import Sequence

import psycopg

from mixpeek.db.pool import Database
from mixpeek.execution.output import platform_line
from mixpeek.execution.port import LogLine, LogOrigin
from mixpeek.plugin_logs import queries
from mixpeek.plugin_logs.queries import Line, size_of

log = logging.getLogger(__name__)

FLUSH_S = 0.5
# Lines in one transaction; so many waiting are written at once instead of at the next turn.
BATCH_LINES = 2_000
QUEUE_LINES = 20_000
QUEUE_BYTES = 32 * 1024**2
_PAUSE_S = 2.0


class LogWriter:
    """A `LogSink` over the database; `start` it once, `close` it to have the rest written."""

    def __init__(
        self, database: Database, *, keep_bytes: int, queue_lines: int = QUEUE_LINES, queue_bytes: int = QUEUE_BYTES
    ) -> None:
        """Keep about `keep_bytes` of each plugin version, the newest."""
        self._database = database
        self._keep_bytes = keep_bytes
        self._queue_lines = queue_lines
        self._queue_bytes = queue_bytes
        self._waiting: deque[Line] = deque()
        self._waiting_bytes = 0
        self._lost: Counter[tuple[LogOrigin, str]] = Counter()
        self._written: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plugin-logs", daemon=True)

    def start(self) -> LogWriter:
        """Begin to write."""
        self._thread.start()
        return self

    def write(self, origin: LogOrigin, host_id: str, lines: Sequence[LogLine]) -> None:
        """Queue lines; those that find no room are counted as lost."""
        with self._lock:
            for line in lines:
                size = size_of(line)
                if len(self._waiting) >= self._queue_lines or self._waiting_bytes + size > self._queue_bytes:
                    self._lost[origin, host_id] += 1
                    continue
                self._waiting.append((origin, host_id, line))
                self._waiting_bytes += size
            is_urgent = len(self._waiting) >= BATCH_LINES
        if is_urgent:
            self._wake.set()

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is queued, if the database takes it in time, and end."""
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        left = len(self._waiting) + self._lost.total()
        if left:
            log.error("%d lines of plugin logs could not be written before this process ended", left)

    def _run(self) -> None:
        is_away = False
        while True:
            if is_away:
                self._closing.wait(_PAUSE_S)
            else:
                self._wake.wait(FLUSH_S)
            self._wake.clear()
            is_last = self._closing.is_set()
            was_away, is_away = is_away, not self._write_waiting()
            if is_away and not was_away:
                log.warning("the database does not take plugin logs, trying again every %.0f s", _PAUSE_S)
            if is_last:
                return

    def _write_waiting(self) -> bool:
        """Write all that waits; tell whether the database took it."""
        try:
            while self._write_batch():
                pass
        except psycopg.OperationalError as error:
            log.debug("plugin logs could not be written: %s", error)
            return False
        except Exception:
            # The edge of a loop that must not end: a batch that cannot be stored at all is given up, and counted.
            log.exception("a batch of plugin logs cannot be stored")
            self._give_up()
        return True

    def _write_batch(self) -> bool:
        """Write the oldest lines; tell whether there may be more."""
        with self._lock:
            batch = list(itertools.islice(self._waiting, BATCH_LINES))
            # What was lost stood behind everything that was not.
            lost = dict(self._lost) if len(batch) == len(self._waiting) else {}
        told = [(origin, host_id, _told(count)) for (origin, host_id), count in lost.items()]
        if not batch and not told:
            return False
        with self._database.transaction() as connection:
            queries.insert_lines(connection, batch + told)
        with self._lock:
            for origin, _, line in batch:
                self._waiting.popleft()
                self._waiting_bytes -= size_of(line)
                self._written[origin.namespace_id, origin.plugin_id] += size_of(line)
            for key, count in lost.items():
                self._lost[key] -= count
            self._lost += Counter()  # drops those at zero
        self._trim()
        return bool(self._waiting)

    def _trim(self) -> None:
        """Delete the oldest lines of versions that wrote much since the last time; retention alone comes too rarely."""
        for key, written in list(self._written.items()):
            if written <= self._keep_bytes // 4:
                continue
            del self._written[key]
            try:
                with self._database.transaction() as connection:
                    queries.delete_surplus(connection, *key, self._keep_bytes)
            except Exception:
                # What waits to be written has no part in it; the next time comes after as much again.
                log.exception("the oldest lines of %s could not be deleted", key)

    def _give_up(self) -> None:
        with self._lock:
            for _ in range(min(BATCH_LINES, len(self._waiting))):
                origin, host_id, line = self._waiting.popleft()
                self._waiting_bytes -= size_of(line)
                self._lost[origin, host_id] += 1


def _told(count: int) -> LogLine:
    return platform_line("warning", f"{count:,} lines were lost: the database could not take them in time")
