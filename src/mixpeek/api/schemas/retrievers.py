"""Answers about retrievers and what they find."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, PageInfo
from mixpeek.api.schemas.documents import Document


class StoredStageConfig(Answer):
    """What a stage does, and with which parameters."""

    stage_id: str
    parameters: dict[str, Any]


class StoredStage(Answer):
    """One stage of a retriever."""

    stage_name: str
    stage_type: str | None
    config: StoredStageConfig
    description: str | None


class Retriever(Answer):
    """A retriever: the collections it searches and its stages."""

    retriever_id: str
    retriever_name: str
    description: str | None
    collection_ids: list[str]
    stages: list[StoredStage]
    input_schema: dict[str, dict[str, Any]]
    tags: list[str]
    version: int
    created_at: datetime
    updated_at: datetime


class RetrieverAnswer(Answer):
    """One retriever."""

    success: Literal[True]
    retriever: Retriever
    retriever_id: str


class RetrieverPage(Answer):
    """A page of retrievers."""

    results: list[Retriever]
    pagination: PageInfo
    total: int


class StageDescription(Answer):
    """A stage that retrievers can be made of."""

    stage_id: str
    description: str
    category: str
    icon: None
    parameter_schema: dict[str, Any] = Field(description="JSON Schema of its parameters.")


class FeatureScore(Answer):
    """How near a document is in one feature."""

    score: float


class FoundDocument(Document):
    """A document with how well it fits."""

    score: float = Field(description="Higher is nearer.")
    features: dict[str, FeatureScore] = Field(description="By feature URI.")


class StageStatistics(Answer):
    """What one stage did."""

    input_count: int
    output_count: int
    duration_ms: float
    efficiency: float
    cache_hit: bool
    error: None
    metadata: dict[str, Any]


class ExecutionStatistics(Answer):
    """What all stages did, by their names."""

    stages: dict[str, StageStatistics]
    total_time_ms: float
    credits_used: float


class ExecutionBudget(Answer):
    """What the execution cost; credits are not counted here."""

    credits_used: float
    credits_remaining: None
    time_used_ms: float


class ExecutionPage(Answer):
    """Which part of the results is shown."""

    next_cursor: None
    has_next: bool
    total: int


class Execution(Answer):
    """What a retriever found."""

    execution_id: str
    retriever_id: str
    status: Literal["completed"]
    documents: list[FoundDocument] = Field(description="Best first.")
    results: list[FoundDocument] = Field(description="The same as `documents`.")
    warnings: list[str]
    pagination: ExecutionPage
    stage_statistics: ExecutionStatistics
    budget: ExecutionBudget
    error: None
    optimization_applied: bool
    optimization_summary: None
