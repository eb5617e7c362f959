"""Tasks: the durable record of asynchronous work, and the outbox the worker takes it from.

A task is written in the transaction that causes it; whatever happens next, the worker finds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.db.listing import Found, Listing, list_rows
from mixpeek.db.pool import Connection, first_row, new_id, scalar
from mixpeek.errors import NotFound
from mixpeek.filters.query import Query
from mixpeek.filters.surface import Column, Surface

CHANNEL = "mixpeek_tasks"
# Told by a trigger of each task that ends, with its id.
ENDS_CHANNEL = "mixpeek_task_ends"
TERMINAL = frozenset({"COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED"})
# The condition of the index `tasks_open`: it is used where a statement says the same, without parameters.
IS_OPEN = "status NOT IN ('COMPLETED', 'COMPLETED_WITH_ERRORS', 'FAILED', 'CANCELED')"
COLUMNS = (
    "task_id, namespace_id, organization_id, task_type, workflow, status, inputs, outputs, additional_data, error,"
    " created_at, updated_at"
)
LISTING = Listing(
    f"SELECT {COLUMNS} FROM tasks",
    Surface(
        columns={
            **{name: Column(name) for name in ("task_id", "namespace_id", "task_type", "status", "error")},
            **{name: Column(name, "json") for name in ("inputs", "outputs", "additional_data")},
            **{name: Column(name, "time") for name in ("created_at", "updated_at")},
        },
        searched=("task_id", "task_type", "status", "error", "inputs"),
    ),
    key=(("created_at", "timestamptz"), ("task_id", "text")),
    newest_first=True,
)


@dataclass(frozen=True)
class Task:
    task_id: str
    namespace_id: str | None
    organization_id: str
    task_type: str
    workflow: str
    status: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    additional_data: dict[str, Any]
    error: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def has_ended(self) -> bool:
        return self.status in TERMINAL

    def wire(self) -> dict[str, Any]:
        return {
            "task_id": self.task_id,
            "task_type": self.task_type,
            "status": self.status,
            "inputs": [self.inputs],
            "outputs": [self.outputs],
            "additional_data": self.additional_data,
            "error": self.error,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }


def submit(
    connection: Connection,
    *,
    workflow: str,
    task_type: str,
    organization_id: str,
    namespace_id: str,
    inputs: dict[str, Any],
) -> str:
    """Record a task in the caller's transaction and wake the worker when it commits; return the task id."""
    task_id = new_id("task")
    connection.execute(
        "INSERT INTO tasks (task_id, namespace_id, organization_id, task_type, workflow, inputs)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [task_id, namespace_id, organization_id, task_type, workflow, Jsonb(inputs)],
    )
    connection.execute(f"NOTIFY {CHANNEL}")
    return task_id


def get_task(connection: Connection, organization_id: str, task_id: str) -> Task:
    task = first_row(
        connection,
        Task,
        f"SELECT {COLUMNS} FROM tasks WHERE organization_id = %s AND task_id = %s",
        [organization_id, task_id],
    )
    if task is None:
        raise NotFound("task", task_id)
    return task


def list_tasks(
    connection: Connection,
    organization_id: str,
    scope: Iterable[str] | None,
    query: Query,
    *,
    status: str | None = None,
    task_type: str | None = None,
) -> Found[Task]:
    """List tasks, newest first unless sorted; `scope` holds the only namespaces to list from, None means all."""
    return list_rows(
        connection,
        Task,
        LISTING,
        query,
        "organization_id = %(organization)s AND (%(scope)s::text[] IS NULL OR namespace_id = ANY(%(scope)s))"
        " AND (%(status)s::text IS NULL OR status = %(status)s)"
        " AND (%(task_type)s::text IS NULL OR task_type = %(task_type)s)",
        {
            "organization": organization_id,
            "scope": None if scope is None else list(scope),
            "status": status,
            "task_type": task_type,
        },
    )


def find_origin(connection: Connection, task_id: str) -> dict[str, Any] | None:
    """Return who asked for a task, in the form `db.origin.caused_by` takes; None if the platform did."""
    found: dict[str, Any] | None = scalar(connection, "SELECT origin FROM tasks WHERE task_id = %s", [task_id])
    return found


def take_from_outbox(connection: Connection, besides: Iterable[str] = ()) -> Task | None:
    """Return the oldest task that nobody has started or, by a transaction under way, is starting; None if none is.

    Until the transaction ends nobody else is given it.
    """
    return first_row(
        connection,
        Task,
        f"SELECT {COLUMNS} FROM tasks WHERE dispatched_at IS NULL AND task_id <> ALL(%s) ORDER BY created_at LIMIT 1"
        " FOR UPDATE SKIP LOCKED",
        [list(besides)],
    )


def mark_dispatched(connection: Connection, task_id: str, executor_id: str) -> None:
    connection.execute(
        "UPDATE tasks SET dispatched_at = now(), executor_id = %s WHERE task_id = %s", [executor_id, task_id]
    )


def update_task(
    connection: Connection,
    task_id: str,
    status: str,
    *,
    outputs: dict[str, Any] | None = None,
    progress: dict[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Set a task's status; a terminal status is never left again."""
    connection.execute(
        "UPDATE tasks SET status = %(status)s, outputs = COALESCE(%(outputs)s, outputs), error = %(error)s,"
        " additional_data = additional_data || %(progress)s, updated_at = now()"
        " WHERE task_id = %(task)s AND status <> ALL(%(terminal)s)",
        {
            "task": task_id,
            "status": status,
            "outputs": None if outputs is None else Jsonb(outputs),
            "progress": Jsonb(progress or {}),
            "error": error,
            "terminal": list(TERMINAL),
        },
    )
