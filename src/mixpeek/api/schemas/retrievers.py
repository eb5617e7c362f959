"""Answers about retrievers and what they find."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, OpenAnswer, PageInfo


class StoredStageConfig(OpenAnswer):
    """What a stage does, and with which parameters."""

    stage_id: str
    parameters: dict[str, Any]
    pre_filters: dict[str, Any] | None = None
    post_filters: dict[str, Any] | None = None


class StoredStage(Answer):
    """One stage of a retriever."""

    stage_name: str
    stage_type: str
    config: StoredStageConfig
    description: str | None = None
    batch_size: int | str | None = None


class FeatureAddress(Answer):
    """A feature that a retriever searches."""

    scheme: Literal["mixpeek"]
    extractor: str
    version: str
    output: str | None
    feature_uri: str


class Retriever(Answer):
    """A retriever: the collections it searches and its stages."""

    retriever_id: str
    retriever_name: str
    description: str | None
    collection_ids: list[str]
    stages: list[StoredStage]
    input_schema: dict[str, dict[str, Any]]
    budget_limits: dict[str, Any] | None
    feature_dependencies: list[FeatureAddress]
    tags: list[str]
    visibility: str
    display_config: dict[str, Any] | None
    version: int = Field(description="Raised by each change.")
    created_at: datetime
    updated_at: datetime


class RetrieverAnswer(Answer):
    """One retriever."""

    success: Literal[True]
    retriever: Retriever
    retriever_id: str


class ShownRetriever(Retriever):
    """One retriever, at the root as well as under `retriever`, where the answers to changes have it."""

    success: Literal[True]
    retriever: Retriever


class RetrieverCloned(RetrieverAnswer):
    """A retriever made like another one."""

    source_retriever_id: str


class RetrieverDeleted(Answer):
    """A retriever that is gone."""

    success: Literal[True]
    retriever_id: str
    message: str


class RetrieverVersion(Answer):
    """What a retriever was called and described as; its stages never change."""

    version: int
    retriever_name: str
    description: str | None
    tags: list[str]
    visibility: str
    display_config: dict[str, Any] | None
    created_at: datetime
    is_current: bool


class RetrieverVersions(Answer):
    """All versions of a retriever, the current one first."""

    results: list[RetrieverVersion]
    total: int


class RetrieverPage(Answer):
    """A page of retrievers."""

    results: list[Retriever]
    pagination: PageInfo
    total: int


class StageDescription(Answer):
    """A stage that retrievers can be made of."""

    stage_id: str
    description: str
    category: Literal["filter", "sort", "reduce", "apply", "enrich"]
    icon: str
    parameter_schema: dict[str, Any] = Field(description="JSON Schema of its parameters.")


class FeatureScore(Answer):
    """How near a document is in one feature."""

    score: float


class FoundDocument(OpenAnswer):
    """A document with how well it fits; its fields are at the root, unless a stage wrote it anew."""

    document_id: str
    collection_id: str
    score: float = Field(description="Higher is better; 0 where nothing was searched.")
    features: dict[str, FeatureScore] = Field(description="In each search, by feature URI.")
    scores: dict[str, float] | None = Field(None, description="Of later stages, by name.")
    group_key: Any = Field(None, description="Of documents that were grouped.")


class StageStatistics(Answer):
    """What one stage did."""

    input_count: int = Field(description="0 where the stages before were left to the store.")
    output_count: int = Field(description="0 where the stage was left to the store together with the next.")
    duration_ms: float
    efficiency: float
    cache_hit: bool = Field(description="Whether a query's vector was remembered.")
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
    """Which part of the results is shown, and how to go on."""

    method: Literal["cursor", "offset", "keyset", "scroll"]
    total: int
    page: int | None
    page_size: int
    total_pages: int
    has_next: bool
    next_page: int | None
    previous_page: int | None
    next_cursor: str | None = Field(description="Send as `cursor` for the next page.")
    after: dict[str, Any] | None = Field(description="Send as `after` for the next page of `keyset`.")
    scroll_id: str | None = Field(description="Send as `scroll_id` for the next page of `scroll`.")


class FacetValue(Answer):
    """How many documents hold a value."""

    value: Any
    count: int


class ResultGroup(Answer):
    """The documents that hold one value."""

    group_key: Any
    count: int
    document_ids: list[str] = Field(description="Those that are kept.")


class LeftToStore(Answer):
    """Stages that the store carried out together."""

    left_to_store: list[str]


class Execution(Answer):
    """What a retriever found."""

    execution_id: str
    retriever_id: str | None = Field(description="Null where it came with the request.")
    status: Literal["completed"]
    documents: list[FoundDocument] = Field(description="Best first.")
    results: list[FoundDocument] = Field(description="The same as `documents`.")
    warnings: list[str] = Field(description="What was not done as it may have been meant.")
    pagination: ExecutionPage
    facets: dict[str, list[FacetValue]] | None
    groups: list[ResultGroup] | None
    aggregations: dict[str, list[dict[str, Any]]] | None = Field(description="By the stage's name.")
    stage_statistics: ExecutionStatistics
    budget: ExecutionBudget
    error: None
    optimization_applied: bool
    optimization_summary: LeftToStore | None


class StagePlan(Answer):
    """What is known of a stage before it runs; durations and counts are those of earlier executions."""

    stage_index: int
    stage_name: str
    stage_type: str
    estimated_input: int
    estimated_output: int
    estimated_efficiency: float
    estimated_cost_credits: float
    estimated_duration_ms: float
    cache_likely: bool
    optimization_notes: list[str]
    warnings: list[str]


class ExecutionPlan(Answer):
    """What an execution would do."""

    retriever_id: str
    retriever_name: str
    estimated_cost: dict[str, float]
    execution_plan: list[StagePlan]
    optimization_suggestions: list[dict[str, Any]]
    total_estimated_stages: int
    bottleneck_stages: list[str]
    optimization_level: str
    optimization_applied: bool
    optimization_details: None
