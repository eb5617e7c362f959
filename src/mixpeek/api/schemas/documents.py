"""Answers about documents; each carries what its extractor made and what was kept of its object."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, OpenAnswer, PageInfo


class Document(OpenAnswer):
    """A document; what its extractor made is at the root beside these, vectors only where asked for."""

    document_id: str
    collection_id: str
    document_blobs: list[dict[str, Any]]
    internal: dict[str, Any] = Field(alias="_internal", description="Where the document comes from.")


class ListedDocument(OpenAnswer):
    """A document in a list; with `select` only its ids and the selected fields."""

    document_id: str
    collection_id: str


class DocumentStats(Answer):
    """Counts over all pages."""

    total_documents: int
    avg_blobs_per_document: float | None = Field(description="Null where only the keys were counted.")
    total_groups: int | None
    avg_documents_per_group: float | None


class DocumentGroup(Answer):
    """Documents that hold the same value in the field they are grouped by."""

    group_key: Any = Field(description="The value; null for documents without the field.")
    documents: list[ListedDocument] = Field(description="The first hundred of them.")
    count: int


class DocumentPage(Answer):
    """A page of documents; with `group_by` a page of groups, and no results."""

    results: list[ListedDocument]
    pagination: PageInfo
    groups: list[DocumentGroup] | None
    group_by_field: str | None
    stats: DocumentStats | None = Field(description="With the first page, and wherever totals are asked for.")
    total_documents: int | None


class AggregationResult(Answer):
    """Figures of one group."""

    group: dict[str, Any]
    metrics: dict[str, Any]


class Aggregation(Answer):
    """Figures over documents, by group."""

    results: list[AggregationResult]
    total_groups: int = Field(description="How many groups are returned.")
    query_info: dict[str, Any]


class LineageStep(OpenAnswer):
    """One document on the way from the object."""

    collection_id: str | None = None
    document_id: str | None = None
    feature_extractor_id: str | None = None
    timestamp: str | None = None


class Lineage(Answer):
    """Where a document comes from."""

    document_id: str
    collection_id: str
    root_object_id: str | None
    root_bucket_id: str | None
    source_type: str | None
    source_object_id: str | None
    source_document_id: str | None
    source_collection_id: str | None
    path: str | None
    chain: list[LineageStep]
    documents: list[LineageStep] = Field(description="The documents it was made from, the first tier first, then it.")


class DocumentDeleted(Answer):
    """A document is gone."""

    success: Literal[True]
    document_id: str
    message: str


class DocumentsUpdated(Answer):
    """Documents that passed a filter were updated."""

    updated_count: int
    message: str


class DocumentResult(Answer):
    """What became of one document of a request."""

    document_id: str
    success: bool
    error: str | None


class DocumentUpdates(Answer):
    """Documents were updated; `results` is empty where a filter chose them."""

    updated_count: int
    failed_count: int
    results: list[DocumentResult]
    message: str


class DocumentsDeleted(Answer):
    """Documents were deleted; `results` is empty where a filter chose them."""

    deleted_count: int
    failed_count: int
    results: list[DocumentResult]
    message: str
