"""Who waits for a task to end: woken by the database, without a thread or a connection of their own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator

from mixpeek.workflows.tasks import Task

# Each holds a connection of its client; beyond that, a request for a task is answered at once.
MOST_WAITERS = 1000


class Waiters:
    """Used from the server's loop only; one listener of the database serves them all."""

    def __init__(self, most: int = MOST_WAITERS) -> None:
        self._most = most
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._count = 0
        self._is_closed = False

    async def wait(self, find: Callable[[], Awaitable[Task]], timeout_s: float) -> Task:
        """Return what `find` does once that task has ended, the time is over, or the server stops."""
        task = await find()
        ends_at = time.monotonic() + timeout_s
        if task.has_ended or self._count >= self._most:
            return task
        with self._join(task.task_id) as news:
            # It may have ended before anybody listened.
            task = await find()
            while not (task.has_ended or self._is_closed):
                left_s = ends_at - time.monotonic()
                if left_s <= 0:
                    break
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), left_s)
                news.clear()
                task = await find()
        return task

    def note(self, task_id: str) -> None:
        """Wake those who wait for a task; "" wakes all: notices may have been missed."""
        for events in list(self._waiting.values()) if not task_id else [self._waiting.get(task_id, set())]:
            for event in events:
                event.set()

    def close(self) -> None:
        """Have everybody be answered with how their task stands."""
        self._is_closed = True
        self.note("")

    @contextlib.contextmanager
    def _join(self, task_id: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting.setdefault(task_id, set()).add(event)
        self._count += 1
        try:
            yield event
        finally:
            self._count -= 1
            waiting = self._waiting[task_id]
            waiting.discard(event)
            if not waiting:
                del self._waiting[task_id]
