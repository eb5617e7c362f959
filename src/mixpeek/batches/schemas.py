"""Request bodies of batches."""

from __future__ import annotations

from pydantic import Field

from mixpeek.wire import WireModel


class CreateBatch(WireModel):
    object_ids: list[str] = Field(min_length=1)
    collection_ids: list[str] | None = None


class SubmitBatch(WireModel):
    include_processing_history: bool = True
