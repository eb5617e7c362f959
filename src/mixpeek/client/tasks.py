"""`client.tasks`: durable records of work that goes on after its request was answered."""

from __future__ import annotations

from mixpeek.client.resource import Resource
from mixpeek.client.response import Response
from mixpeek.client.transport import segment
from mixpeek.client.waiting import Progress, wait_until

ENDED = frozenset({"COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED"})


class Tasks(Resource):
    """Tasks, by id."""

    def get(self, task_id: str) -> Response:
        """Return one task: its `status`, `outputs` and `error`."""
        return self._transport.request("GET", f"/tasks/{segment(task_id)}")

    def wait(
        self,
        task_id: str,
        on_progress: Progress | None = None,
        *,
        timeout_s: float | None = None,
        poll_s: float | None = None,
    ) -> Response:
        """Return the task once it is COMPLETED, COMPLETED_WITH_ERRORS, FAILED or CANCELED.

        Args:
            on_progress: called with the task each time the server was asked.
            timeout_s: None waits without end.
        Raises: WaitTimedOut.
        """
        return wait_until(
            lambda: self.get(task_id),
            lambda task: str(task.get("status")).upper() in ENDED,
            f"Task {task_id}",
            on_progress=on_progress,
            timeout_s=timeout_s,
            poll_s=poll_s,
        )
