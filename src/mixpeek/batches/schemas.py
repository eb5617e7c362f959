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


class AddObjects(WireModel):
    object_ids: list[str] = Field(min_length=1)


class ListBatches(WireModel):
    """Which batches to list, and which page."""

    status: str | None = None
    limit: int | None = Field(None, ge=1, le=10_000)
    offset: int | None = Field(None, ge=0)
    cursor: str | None = None


class RetryBatch(WireModel):
    """What to run again: rows whose cause may pass by itself, or all that failed; rows tried so often are left out."""

    retry_mode: Literal["transient_only", "all"] = "transient_only"
    tier_nums: list[Annotated[int, Field(ge=0)]] | None = None
    max_retry_count: int = Field(3, ge=1, le=10)
