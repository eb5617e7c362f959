"""Answers about batches."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer


class TierTask(Answer):
    """How one tier of a batch is doing; it begins when the one before it has been reconciled."""

    tier_num: int
    task_id: str | None = Field(description="The batch's task; null before the tier begins.")
    status: str = Field(examples=["PENDING", "IN_PROGRESS", "COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "SKIPPED"])
    collection_ids: list[str]
    source_type: Literal["bucket", "collection"]
    source_collection_ids: list[str] | None
    started_at: datetime | None
    completed_at: datetime | None
    duration_ms: float | None
    error: str | None
    error_summary: dict[str, int] = Field(description="Rows that were not stored, by cause.")
    source_documents_fetched: int | None = Field(description="Objects or documents it reads, before filters.")
    documents_after_source_filter: int | None
    documents_missing_input_fields: int
    documents_written: int | None


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
    source_collection_ids: list[str] = Field(description="Of a batch over documents: the collections it reads.")
    source_filters: dict[str, Any] | None
    tier_tasks: list[TierTask]
    current_tier: int | None = Field(description="The last tier that has begun; null before the first.")
    total_tiers: int
    dag_tiers: list[list[str]] = Field(description="Collections by tier; each is filled after all it reads.")


class BatchProgress(Answer):
    """Counts so far."""

    chunks: int
    chunks_committed: int
    objects: int
    objects_committed: int
    source_documents: int
    source_documents_committed: int
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
