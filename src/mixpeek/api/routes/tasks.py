"""Tasks: how asynchronous work stands, waiting for its end, and ending it early."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from pydantic import field_validator
from starlette.concurrency import run_in_threadpool

from mixpeek.api.access import PlatformDep, Reader, Writer
from mixpeek.api.answers import answers
from mixpeek.api.paging import ListedPageDep, ListRequest, wire_found
from mixpeek.api.platform import Platform
from mixpeek.api.schemas.tasks import Task, TaskKilled, TaskPage
from mixpeek.batches.killing import kill_task as kill
from mixpeek.db.pool import Connection
from mixpeek.errors import NotFound
from mixpeek.tenancy.models import Principal
from mixpeek.tenancy.service import get_visible_namespace
from mixpeek.workflows import tasks

router = APIRouter(prefix="/v1/tasks", tags=["tasks"])

LONGEST_WAIT_S = 60
NamespaceHeader = Annotated[str | None, Header(description="Namespace, by id or name; without it, any the key sees.")]


class ListTasks(ListRequest):
    """Which tasks to list."""

    status: (
        Literal[
            "PENDING", "IN_PROGRESS", "PROCESSING", "COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED",
            "UNKNOWN", "SKIPPED", "DRAFT", "ACTIVE", "ARCHIVED", "SUSPENDED",
        ]
        | None
    ) = None  # fmt: skip
    task_type: str | None = None

    @field_validator("status", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value


@router.get("/{task_id}", **answers(Task))
async def get_task(
    platform: PlatformDep,
    caller: Reader,
    task_id: str,
    wait: Annotated[
        float, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for its end before it is answered.")
    ] = 0,
    x_namespace: NamespaceHeader = None,
) -> dict[str, Any]:
    """Return a task, with `wait` once it has ended; tasks are kept, also after they ended."""

    async def find() -> tasks.Task:
        return await run_in_threadpool(_find_in_own, platform, caller, task_id, x_namespace)

    task = await (platform.task_waiters.wait(find, wait) if wait else find())
    return task.wire()


@router.post("/list", **answers(TaskPage))
def list_tasks(
    platform: PlatformDep,
    caller: Reader,
    listed: ListedPageDep,
    body: ListTasks | None = None,
    x_namespace: NamespaceHeader = None,
) -> dict[str, Any]:
    """List tasks, newest first unless sorted."""
    body = body or ListTasks()
    query = listed.query(body)
    with platform.database.transaction() as connection:
        scope = caller.namespaces
        if x_namespace:
            scope = frozenset({get_visible_namespace(connection, caller, x_namespace).namespace_id})
        found = tasks.list_tasks(
            connection, caller.organization_id, scope, query, status=body.status, task_type=body.task_type
        )
    return wire_found(query, [task.wire() for task in found.rows], found)


@router.delete("/{task_id}", **answers(TaskKilled, 409, checked=True))
def kill_task(
    platform: PlatformDep, caller: Writer, task_id: str, x_namespace: NamespaceHeader = None
) -> dict[str, Any]:
    """Have a task end as soon as it can; one that has ended stays as it is."""
    with platform.database.transaction() as connection:
        is_ending = kill(connection, _find(connection, caller, task_id, x_namespace))
    message = "The task ends as soon as it can" if is_ending else "The task had ended already"
    return {"success": True, "task_id": task_id, "message": message}


@router.post("/{task_id}/kill", **answers(TaskKilled, 409, checked=True))
def stop_task(
    platform: PlatformDep, caller: Writer, task_id: str, x_namespace: NamespaceHeader = None
) -> dict[str, Any]:
    """Do as DELETE does."""
    return kill_task(platform, caller, task_id, x_namespace)


def _find_in_own(platform: Platform, caller: Principal, task_id: str, namespace: str | None) -> tasks.Task:
    with platform.database.transaction() as connection:
        return _find(connection, caller, task_id, namespace)


def _find(connection: Connection, caller: Principal, task_id: str, namespace: str | None) -> tasks.Task:
    """Return a task of a namespace the caller sees, of the named one if any is named.

    Raises: NotFound.
    """
    named = get_visible_namespace(connection, caller, namespace).namespace_id if namespace else None
    task = tasks.get_task(connection, caller.organization_id, task_id)
    if not caller.sees(task.namespace_id) or named not in (None, task.namespace_id):
        raise NotFound("task", task_id)
    return task
