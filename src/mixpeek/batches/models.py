"""A batch, its chunks, and what became of each row."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from mixpeek.documents.port import NewDocument


@dataclass(frozen=True)
class Batch:
    batch_id: str
    namespace_id: str
    type: str
    bucket_ids: list[str]
    collection_ids: list[str]
    object_ids: list[str] | None
    snapshot: int | None
    status: str
    error: str | None
    error_summary: dict[str, int]
    metadata: dict[str, Any]
    task_id: str | None
    created_at: datetime
    updated_at: datetime

    def wire(self) -> dict[str, Any]:
        hidden = ("namespace_id", "snapshot", "bucket_ids")
        fields = {key: value for key, value in asdict(self).items() if key not in hidden}
        return {
            **fields,
            "bucket_id": self.bucket_ids[0] if self.bucket_ids else None,
            "object_ids": self.object_ids or [],
            "tier_tasks": [],
            "total_tiers": 1,
            "dag_tiers": [self.collection_ids],
        }


def tiers_of(batch: Batch) -> list[list[str]]:
    """Return the batch's collections by tier, tier 0 first: a tier is run once those before it are stored."""
    return [batch.collection_ids]


@dataclass(frozen=True)
class Chunk:
    """Objects that are run and committed together."""

    batch_id: str
    collection_id: str
    generation: int
    chunk: int
    object_ids: list[str]
    document_ids: list[str] | None = None  # of a retry: only these rows


@dataclass(frozen=True)
class Row:
    """One row of input: what the processor sees, and where its document will belong."""

    document_id: str
    object_id: str
    blob_id: str | None
    columns: dict[str, Any]
    passthrough: dict[str, Any]
    internal: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """A row that did not become a document; `cause` is a stable word to count by."""

    row: Row
    outcome: str  # skipped | failed
    cause: str
    message: str
    details: dict[str, Any]


@dataclass(frozen=True)
class Checked:
    """A table's rows, told apart."""

    documents: list[NewDocument]
    outcomes: list[Outcome]
