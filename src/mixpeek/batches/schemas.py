"""Request bodies of batches."""

from __future__ import annotations

from pydantic import Field

from mixpeek.wire import WireModel


class CreateBatch(WireModel):
    object_ids: list[str] = Field(min_length=1)
    collection_ids: list[str] | None = None


class SubmitBatch(WireModel):
    include_processing_history: bool = True


class TriggerBucket(WireModel):
    """Which collection to run; several are triggered one by one, as each has a batch of its own."""

    collection_ids: list[str] = Field(min_length=1, max_length=1)
