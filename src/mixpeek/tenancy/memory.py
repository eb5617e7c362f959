"""What was just looked up in the database, answered again without asking it, for a second at most.

While the database does not answer, what it said last holds for longer, so that requests outlast a failover.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import psycopg

from mixpeek.errors import MixpeekError

log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

# What changed is noticed within this time even if no notice of it arrives.
LASTS_S = 1.0
# From this age on an answer is looked up again beside the requests, so that under steady load none of them waits.
AGEING_S = 0.4
# While it is being asked again and does not answer: nothing can be changed in a database that is away.
LASTS_UNANSWERED_S = 60.0
# How soon it is asked again after it could not be asked at all.
ASK_AGAIN_S = 0.5
MOST_ENTRIES = 10_000


@dataclass(slots=True)
class _Entry(Generic[Value]):
    value: Value
    asked_at: float
    is_asked_again: bool = False
    failed_at: float | None = None


class Memory(Generic[Key, Value]):
    """Remembers what `look_up` found; thread-safe. What it did not find is asked for each time."""

    def __init__(self, look_up: Callable[[Key], Value | None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._look_up = look_up
        self._clock = clock
        self._entries: dict[Key, _Entry[Value]] = {}
        self._lock = threading.Lock()
        self._generation = 0
        self._refresher: ThreadPoolExecutor | None = None

    def recall(self, key: Key) -> Value | None:
        """Return what was found within the last second, or is asked for again since, without waiting for anything."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock()
        age = now - entry.asked_at
        if age >= (LASTS_UNANSWERED_S if entry.is_asked_again else LASTS_S):
            return None
        if entry.failed_at is not None and now - entry.failed_at >= ASK_AGAIN_S:
            entry.failed_at = None
            self._refresh(key, entry)
        elif age >= AGEING_S and not entry.is_asked_again:
            entry.is_asked_again = True
            self._refresh(key, entry)
        return entry.value

    def find(self, key: Key) -> Value | None:
        """Return what is remembered, or what the database says now."""
        found = self.recall(key)
        return self._ask(key) if found is None else found

    def forget(self) -> None:
        """Forget everything; what is being looked up meanwhile is not remembered either."""
        with self._lock:
            self._generation += 1
            self._entries.clear()

    def _ask(self, key: Key) -> Value | None:
        generation = self._generation
        asked_at = self._clock()  # before the look-up, so that an answer is never older than it seems
        value = self._look_up(key)
        with self._lock:
            if value is None:
                self._entries.pop(key, None)
            elif generation == self._generation:
                if len(self._entries) >= MOST_ENTRIES:
                    self._entries.clear()
                self._entries[key] = _Entry(value, asked_at)
        return value

    def _refresh(self, key: Key, entry: _Entry[Value]) -> None:
        if self._refresher is None:
            self._refresher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="memory")

        def ask() -> None:
            try:
                self._ask(key)
            except (MixpeekError, psycopg.Error) as error:
                log.warning("could not look up again what requests rely on: %s", error)
                entry.failed_at = self._clock()

        self._refresher.submit(ask)
