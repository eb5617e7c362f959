"""Answers about upgrades of collections."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer


class UpgradeMoment(Answer):
    """When an upgrade came to a state."""

    state: str
    at: datetime


class Upgrade(Answer):
    """A generation built by another version: from its beginning until one of the two generations is dropped."""

    upgrade_id: str
    collection_id: str
    state: Literal["BUILDING", "READY", "LIVE", "ROLLED_BACK", "DONE", "FAILED", "CANCELED"]
    from_generation: int
    to_generation: int
    from_plugin_id: str
    to_plugin_id: str
    batch_id: str | None = Field(description="The batch that builds the generation.")
    task_id: str | None = Field(description="Poll GET /v1/tasks/{task_id}.")
    error: str | None
    behind: str | None = Field(description="Why one generation lacks what the other has.")
    incomplete: str | None = Field(description="Why a switch or a rollback is refused unless forced.")
    failed_rows: int = Field(description="Rows that failed in the new generation and are not in it.")
    causes: dict[str, int] = Field(description="Those rows by cause.")
    progress: dict[str, Any] | None = Field(description="Of the build, as its batch shows it.")
    comparison: dict[str, Any] | None = Field(description="The newest comparison.")
    timeline: list[UpgradeMoment]
    created_at: datetime
    updated_at: datetime


class Change(Answer):
    """Something before and after; null where there is none."""

    before: int | str | None
    after: int | str | None


class FeatureChange(Answer):
    """What becomes of one feature."""

    name: str
    change: Literal["same", "changed", "added", "removed"]
    dimensions: Change
    distance: Change


class FieldChanges(Answer):
    """Fields of documents that come, go, or hold another type."""

    added: list[str]
    removed: list[str]
    changed: list[str]


class RetrieverEffect(Answer):
    """What becomes of one retriever at the switch."""

    retriever_id: str
    retriever_name: str
    effect: Literal["follows", "vectors", "breaks"]
    why: str


class UpgradePlan(Answer):
    """What an upgrade would change; `upgrade` is null until one is started."""

    collection_id: str
    collection_name: str
    from_plugin_id: str
    to_plugin_id: str
    objects: int = Field(description="Objects that would be run, before filters.")
    source_documents: int = Field(description="Documents of other collections that would be run, before filters.")
    documents: int = Field(description="Documents that are searched now, and stay.")
    features: list[FeatureChange]
    fields: FieldChanges
    retrievers: list[RetrieverEffect]
    readers: list[str] = Field(description="Collections that read its documents; they are not rebuilt.")
    warnings: list[str]
    blockers: list[str] = Field(description="Why it cannot be started.")
    message: str
    upgrade: Upgrade | None


class ComparedDocuments(Answer):
    """Documents of the two generations; ids of the first few that only one has."""

    before: int
    after: int
    only_before: int
    only_after: int
    only_before_ids: list[str]
    only_after_ids: list[str]


class ComparedFields(Answer):
    """Fields that sampled documents have in one generation only."""

    added: list[str]
    removed: list[str]


class Spread(Answer):
    """Figures over all queries."""

    mean: float
    p10: float
    min: float


class ComparedQuery(Answer):
    """How one query's answers differ."""

    query: str
    overlap_at_10: float
    rank_correlation: float | None
    lost: list[str]
    gained: list[str]


class ComparedFeature(Answer):
    """How alike the answers by one feature are."""

    name: str
    overlap_at_10: Spread | None
    rank_correlation: Spread | None = Field(description="Spearman's, over what both have among their nearest 100.")
    worst: list[ComparedQuery]
    unanswered: int = Field(description="Queries that one of the versions could not embed.")
    unanswered_first: list[dict[str, str]]


class ComparedQueries(Answer):
    """What was asked."""

    count: int
    origin: Literal["given", "stored documents"] = Field(alias="from")


class ComparisonReport(Answer):
    """The two generations of an upgrade beside each other."""

    upgrade_id: str
    state: str
    from_plugin_id: str
    to_plugin_id: str
    documents: ComparedDocuments
    fields: ComparedFields
    failed_rows: int
    causes: dict[str, int]
    features: list[ComparedFeature]
    queries: ComparedQueries
    compared_at: datetime
    took_ms: float
