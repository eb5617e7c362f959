"""A batch, its chunks, and what became of each row."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
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
    source_collection_ids: list[str]
    source_filters: dict[str, Any] | None
    tiers: list[dict[str, Any]]  # rows of `batch_tiers`, as JSON
    fills: int | None  # the one generation it fills, of an upgrade's build or of a mirror; null: the live one
    mirror_of: str | None  # the batch whose writes it repeats in another generation

    @property
    def dag_tiers(self) -> list[list[str]]:
        """The batch's collections by tier, tier 0 first: a tier is run once the one before it is stored."""
        return [tier["collection_ids"] for tier in self.tiers]

    def wire(self) -> dict[str, Any]:
        hidden = ("namespace_id", "snapshot", "bucket_ids", "tiers", "fills", "mirror_of")
        fields = {key: value for key, value in asdict(self).items() if key not in hidden}
        begun = [tier["tier_num"] for tier in self.tiers if tier["started_at"]]
        return {
            **fields,
            "bucket_id": self.bucket_ids[0] if self.bucket_ids else None,
            "object_ids": self.object_ids or [],
            "tier_tasks": [_tier_task(tier, self.task_id) for tier in self.tiers],
            "current_tier": max(begun, default=None),
            "total_tiers": len(self.tiers),
            "dag_tiers": self.dag_tiers,
        }


@dataclass(frozen=True)
class Tier:
    """The collections of a batch that are filled side by side, from objects or from documents of others."""

    batch_id: str
    tier_num: int
    collection_ids: list[str]
    source_type: str  # bucket | collection
    source_collection_ids: list[str]
    status: str

    @property
    def is_first(self) -> bool:
        return self.tier_num == 0


@dataclass(frozen=True)
class Chunk:
    """Objects, or documents of one other collection, that are run and committed together."""

    batch_id: str
    collection_id: str
    generation: int
    chunk: int
    object_ids: list[str]
    document_ids: list[str]
    source_collection_id: str | None
    source_generation: int | None
    row_ids: list[str] | None = None  # of a retry: the only rows to run, by the (first) document each makes


@dataclass(slots=True)
class Row:
    """One row of input: what the processor sees, and where its document will belong; not frozen: there are many."""

    document_id: str
    object_id: str
    blob_id: str | None
    columns: dict[str, Any]
    passthrough: dict[str, Any]
    internal: dict[str, Any]
    source_document_id: str | None = None  # of another collection; null where the row comes from an object
    blob_key: str = ""  # which of its source's values the row holds
    part_of: str | None = None  # of a part after the first: the id of the row

    @property
    def row_id(self) -> str:
        """The id of the row itself, also of one of its parts."""
        return self.part_of or self.document_id


@dataclass(frozen=True)
class Outcome:
    """A row that did not become a document; `cause` is a stable word to count by."""

    row: Row
    outcome: str  # skipped | failed
    cause: str
    message: str
    details: dict[str, Any]


def _tier_task(tier: dict[str, Any], task_id: str | None) -> dict[str, Any]:
    """Return a tier in the documented shape; all tiers of a batch are carried out by one task."""
    began, ended = (
        datetime.fromisoformat(at) if (at := tier[name]) else None for name in ("started_at", "completed_at")
    )
    return {
        "tier_num": tier["tier_num"],
        "task_id": task_id if began else None,
        "status": tier["status"],
        "collection_ids": tier["collection_ids"],
        "source_type": tier["source_type"],
        "source_collection_ids": tier["source_collection_ids"] or None,
        "started_at": began,
        "completed_at": ended,
        "duration_ms": (ended - began).total_seconds() * 1000 if began and ended else None,
        "error": tier["error"],
        "error_summary": tier["error_summary"],
        "source_documents_fetched": tier["sources_found"],
        "documents_after_source_filter": tier["sources_taken"],
        "documents_missing_input_fields": tier["error_summary"].get("missing_input", 0),
        "documents_written": tier["written"],
    }


@dataclass(frozen=True)
class Checked:
    """A table's rows, told apart; `parts` says how many parts each row has that an exploding extractor answered for."""

    documents: list[NewDocument]
    outcomes: list[Outcome]
    parts: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: Checked) -> Checked:
        return Checked(self.documents + other.documents, self.outcomes + other.outcomes, self.parts | other.parts)
