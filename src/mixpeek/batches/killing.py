"""Ending a task before its time: one place that knows what each kind of work needs for it."""

from __future__ import annotations

from mixpeek.batches import queries
from mixpeek.batches.service import RUN_BATCH, cancel_batch
from mixpeek.db.pool import Connection
from mixpeek.errors import Conflict
from mixpeek.tenancy.service import get_namespace
from mixpeek.workflows.tasks import Task


def kill_task(connection: Connection, task: Task) -> bool:
    """Have a task end as soon as it can; False when it has ended already. Asking twice changes nothing.

    Raises: Conflict: work of its kind is not ended halfway.
    """
    if task.has_ended:
        return False
    if task.workflow != RUN_BATCH:
        raise Conflict(
            f"A task of type {task.task_type!r} is not ended halfway",
            hint="It ends by itself; undo what it did once it has ended, such as by undeploying",
        )
    batch = queries.find_batch(connection, task.inputs["batch_id"])
    if batch is None or task.namespace_id is None:
        return False  # deleted, and its task with nothing left to do
    cancel_batch(connection, get_namespace(connection, task.organization_id, task.namespace_id), batch)
    return True
