"""Answers about batches."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, PageInfo


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


class BatchPage(Answer):
    """A page of batches, newest first."""

    results: list[Batch]
    pagination: PageInfo
    total_count: int


class BatchPause(Answer):
    """Why a batch waits; it goes on by itself."""

    cause: Literal["disk_full", "database_away", "object_store_away", "vector_store_away"]
    since: datetime


class RunningChunk(Answer):
    """A chunk under way, as the plugin tells of it through `progress_actor`."""

    collection_id: str
    chunk: int
    step: str | None
    done: float = Field(
        description="Rows that the step says it has done; never less than before, nor more than `rows`."
    )
    rows: int


class BatchProgress(Answer):
    """Counts so far, how fast it goes, and why it waits if it does."""

    chunks: int
    chunks_committed: int
    objects: int
    objects_committed: int
    rows: int
    written: int
    skipped: int
    failed: int
    percentage: float = Field(description="Of the objects, those whose rows are committed.")
    rows_per_s: float | None = Field(description="Of late; null before the first commit.")
    eta_s: float | None = Field(description="Seconds until the end at this rate; null where nothing is known yet.")
    paused: BatchPause | None
    running: list[RunningChunk] = Field(description="Chunks under way of which the plugin tells how far they are.")
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime


class BatchWithProgress(Batch):
    """A batch with its counts so far."""

    progress: BatchProgress


class BatchDeleted(Answer):
    """The record of a batch is gone; its documents stay."""

    success: bool
    batch_id: str
    message: str


class BatchRetried(Answer):
    """What is run again."""

    batch_id: str
    task_id: str | None = Field(description="The task to poll; the last one where nothing is left to retry.")
    status: str
    retry_mode: Literal["transient_only", "all"]
    rows_to_retry: int
    chunks_to_run: int = Field(description="Those of the failed rows, and those that a stopped batch never came to.")
    message: str


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
    retries: int


class FailedDocuments(Answer):
    """The rows of a batch that did not become documents."""

    batch_id: str
    failed_documents: list[FailedDocument]
    causes: dict[str, int]
    total: int
    next_cursor: str | None


class BatchLogLine(Answer):
    """A line that a host of this batch printed or logged."""

    id: int
    plugin_id: str
    batch_id: str
    deployment_id: str | None
    host_id: str
    source: str
    stream: str
    level: str
    logger: str | None
    message: str
    exception: str | None
    chunk: int | None = Field(description="Whose rows the host was running.")
    step: str | None = Field(description="As errors name it: `steps[0] Embedder`; null outside of a step.")
    at: datetime


class BatchLogPage(Answer):
    """Lines, oldest first; the cursor leads to earlier ones."""

    results: list[BatchLogLine]
    pagination: PageInfo


class DocumentCounts(Answer):
    """How many documents are done."""

    processed_documents: int
    total_documents: int
    percentage: float


class TierDiagnostics(Answer):
    """How one tier goes."""

    tier_num: int
    collection_ids: list[str]
    status: str
    progress: DocumentCounts


class BatchDiagnostics(Answer):
    """How a batch goes and what to do next."""

    batch_id: str
    status: str
    overall_progress: DocumentCounts
    tiers: list[TierDiagnostics]
    rows_per_s: float | None
    estimated_completion: float | None = Field(description="Seconds until the end at this rate.")
    has_failures: bool
    error_summary: dict[str, int]
    insights: list[str]
    next_actions: list[str]
