"""Request bodies of batches."""

from __future__ import annotations

from typing import Annotated, Literal

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


class AddObjects(WireModel):
    object_ids: list[str] = Field(min_length=1)


class RetryBatch(WireModel):
    """What to run again: rows whose cause may pass by itself, or all that failed; rows tried so often are left out."""

    retry_mode: Literal["transient_only", "all"] = "transient_only"
    tier_nums: list[Annotated[int, Field(ge=0)]] | None = None
    max_retry_count: int = Field(3, ge=1, le=10)
