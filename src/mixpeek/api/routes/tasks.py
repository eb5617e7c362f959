"""Tasks: how asynchronous work stands."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query

from mixpeek.api.access import PlatformDep, Reader
from mixpeek.api.answers import answers
from mixpeek.api.schemas.tasks import Task, TaskPage
from mixpeek.errors import NotFound
from mixpeek.tenancy.service import get_visible_namespace
from mixpeek.wire import WireModel
from mixpeek.workflows import tasks

router = APIRouter(prefix="/v1/tasks", tags=["tasks"])


class ListTasks(WireModel):
    status: str | None = None


@router.get("/{task_id}", **answers(Task))
def get_task(platform: PlatformDep, caller: Reader, task_id: str) -> dict[str, Any]:
    """Return a task; tasks are kept, also after they ended."""
    with platform.database.transaction() as connection:
        task = tasks.get_task(connection, caller.organization_id, task_id)
    if not caller.sees(task.namespace_id):
        raise NotFound("task", task_id)
    return task.wire()


@router.post("/list", **answers(TaskPage))
def list_tasks(
    platform: PlatformDep,
    caller: Reader,
    body: ListTasks | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    x_namespace: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """List tasks, newest first."""
    with platform.database.transaction() as connection:
        scope = caller.namespaces
        if x_namespace:
            scope = frozenset({get_visible_namespace(connection, caller, x_namespace).namespace_id})
        status = body.status if body else None
        found = tasks.list_tasks(connection, caller.organization_id, scope, status, limit, offset)
    return {"results": [task.wire() for task in found], "pagination": {"total": None, "next_cursor": None}}
