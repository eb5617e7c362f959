"""Answers about batches."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer


class Batch(Answer):
    """A batch of a bucket's objects."""

    batch_id: str
    type: str
    bucket_id: str | None
    collection_ids: list[str]
    object_ids: list[str]
    status: str = Field(examples=["DRAFT", "PENDING", "IN_PROGRESS", "COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED"])
    error: str | None
    error_summary: dict[str, int] = Field(description="Rows that failed, by cause.")
    metadata: dict[str, Any]
    task_id: str | None = Field(description="Null while the batch is a draft.")
    created_at: datetime
    updated_at: datetime
    tier_tasks: list[dict[str, Any]]
    total_tiers: int
    dag_tiers: list[list[str]]


class BatchProgress(Answer):
    """Counts so far."""

    chunks: int
    chunks_committed: int
    objects: int
    objects_committed: int
    rows: int
    written: int
    skipped: int
    failed: int


class BatchWithProgress(Batch):
    """A batch with its counts so far."""

    progress: BatchProgress


class FailedDocument(Answer):
    """A row that did not become a document."""

    collection_id: str
    document_id: str
    object_id: str
    blob_id: str | None
    outcome: Literal["skipped", "failed"]
    cause: str = Field(description="A stable word to count by.")
    message: str
    details: dict[str, Any]


class FailedDocuments(Answer):
    """The rows of a batch that did not become documents."""

    batch_id: str
    failed_documents: list[FailedDocument]
    causes: dict[str, int]
    total: int
