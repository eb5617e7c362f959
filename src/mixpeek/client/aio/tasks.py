"""`client.tasks`: durable records of work that goes on after its request was answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from mixpeek.client.addresses import segment
from mixpeek.client.aio.resource import Resource, walk_by_offset
from mixpeek.client.aio.waiting import wait_until
from mixpeek.client.errors import ApiError
from mixpeek.client.pacing import Pace, Progress
from mixpeek.client.records import Page, Task, has_ended
from mixpeek.client.response import Response

# How a server says that it does not know the parameter `wait`.
_UNKNOWN_PARAMETER = frozenset({400, 422})
# Beyond what the server was asked to hold its answer for.
_ALLOWANCE_S = 30.0


class Tasks(Resource):
    """Tasks, by id."""

    async def get(self, task_id: str, *, hold_s: int | None = None) -> Task:
        """Return one task: its `status`, `outputs` and `error`.

        Args: hold_s: whole seconds for which the server may hold its answer until the task has ended.
        """
        return await self._ask(
            Task,
            "GET",
            f"/tasks/{segment(task_id)}",
            query={"wait": hold_s},
            timeout_s=None if hold_s is None else hold_s + _ALLOWANCE_S,
        )

    async def list(
        self, *, limit: int | None = None, offset: int | None = None, cursor: str | None = None, **filters: Any
    ) -> Page[Task]:
        """Return one page, newest first; `filters` takes `status`, `task_type` and the like."""
        return await self._page(Task, "/tasks", limit=limit, offset=offset, cursor=cursor, body=filters)

    def iterate(self, *, limit: int | None = None, page_size: int = 100, **filters: Any) -> AsyncIterator[Task]:
        """Yield tasks from all pages, newest first, `limit` at most."""
        return walk_by_offset(
            lambda offset, cursor: self.list(limit=page_size, offset=offset, cursor=cursor, **filters), page_size, limit
        )

    async def kill(self, task_id: str) -> Response:
        """End a task as soon as it can; one that has ended stays as it is."""
        return await self._transport.request("DELETE", f"/tasks/{segment(task_id)}", repeatable=True)

    async def wait(
        self,
        task_id: str,
        on_progress: Progress | None = None,
        *,
        timeout_s: float | None = None,
        poll_s: float | None = None,
    ) -> Task:
        """Return the task once it is COMPLETED, COMPLETED_WITH_ERRORS, FAILED or CANCELED.

        Where the server can hold its answer until then, it is asked to, so that the end is known at once.

        Args:
            on_progress: called with the task each time the server was asked.
            timeout_s: None waits without end.
            poll_s: seconds between two questions, to which the server answers at once.
        Raises: WaitTimedOut.
        """
        pace = Pace(poll_s, is_watched=on_progress is not None)

        async def ask(hold_s: int | None) -> Task:
            try:
                return await self.get(task_id, hold_s=hold_s)
            except ApiError as error:
                if hold_s is None or error.status not in _UNKNOWN_PARAMETER:
                    raise
                pace.may_hold = False
                return await self.get(task_id)

        return await wait_until(ask, has_ended, f"Task {task_id}", pace, on_progress=on_progress, timeout_s=timeout_s)
