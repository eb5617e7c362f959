"""Answers about tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, PageInfo


class Task(Answer):
    """How a piece of asynchronous work stands."""

    task_id: str
    task_type: str
    status: str = Field(
        examples=["PENDING", "IN_PROGRESS", "PROCESSING", "COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED"]
    )
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    additional_data: dict[str, Any] = Field(description="`progress` holds the counts so far.")
    error: str | None
    created_at: datetime
    updated_at: datetime


class TaskPage(Answer):
    """A page of tasks, newest first."""

    results: list[Task]
    pagination: PageInfo


class TaskKilled(Answer):
    """A task ends, or has ended."""

    success: Literal[True]
    task_id: str
    message: str
