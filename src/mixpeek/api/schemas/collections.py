"""Answers about collections."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, PageInfo


class KeptField(Answer):
    """One field of the source that is kept on its documents."""

    source_path: str
    target_path: str | None
    default: Any
    required: bool


class ExtractorInput(Answer):
    """One input of the extractor, in the list form of mappings."""

    input_key: str
    source_type: Literal["payload", "literal", "vector"]
    path: str | None
    override: Any


class CollectionExtractor(Answer):
    """How a collection uses its feature extractor."""

    feature_extractor_name: str
    version: str = Field(description="As asked for; `latest` follows the active version.")
    parameters: dict[str, Any]
    input_mappings: dict[str, str] | list[ExtractorInput]
    field_passthrough: list[KeptField]
    include_all_source_fields: bool
    feature_extractor_id: str = Field(description="The version that made the documents.")


class CollectionSource(Answer):
    """What a collection reads: objects of buckets, or documents of other collections."""

    type: Literal["bucket", "collection"]
    bucket_ids: list[str] | None = Field(None, description="Of a source of type bucket.")
    collection_ids: list[str] | None = Field(None, description="Of a source of type collection.")
    inherited_bucket_ids: list[str] | None = Field(
        None, description="Of a source of type collection: where the objects behind its documents lie."
    )
    source_filters: dict[str, Any] | None = Field(None, description="Which objects or documents are taken.")


class VectorIndex(Answer):
    """How one embedding is indexed."""

    name: str
    feature_uri: str
    description: str
    dimensions: int
    type: Literal["dense"]
    distance: Literal["cosine", "euclidean", "dot"]
    datatype: Literal["float32"]
    inference_name: str


class Collection(Answer):
    """A collection: what it reads, what extracts features from that, what can be searched."""

    collection_id: str
    collection_name: str
    description: str | None
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    feature_extractor: CollectionExtractor
    source: CollectionSource
    source_bucket_schemas: dict[str, Any] = Field(description="Its buckets' schemas when it was made, by bucket.")
    source_lineage: list[dict[str, Any]] = Field(
        description="Each stage from the bucket on, this one the last: its source, extractor and output schema."
    )
    vector_indexes: list[VectorIndex]
    payload_indexes: list[dict[str, Any]]
    enabled: bool
    metadata: dict[str, Any]
    document_count: int
    schema_version: int = Field(description="The generation of documents that is searched.")
    code_hash: str
    created_at: datetime
    updated_at: datetime


class CollectionPage(Answer):
    """A page of collections."""

    results: list[Collection]
    pagination: PageInfo
    total_count: int


class CollectionCloned(Answer):
    """A new collection like another one."""

    collection: Collection
    source_collection_id: str = Field(description="The one it was cloned from.")


class CollectionDeleted(Answer):
    """A collection is gone, with its documents."""

    success: Literal[True]
    collection_id: str
    message: str


class CollectionTriggered(Answer):
    """A batch over what a collection reads is queued."""

    batch_id: str
    task_id: str = Field(description="Poll GET /v1/tasks/{task_id}.")
    collection_id: str
    source_bucket_ids: list[str]
    source_collection_ids: list[str]
    object_count: int = Field(description="Objects it begins with, before filters.")
    document_count: int = Field(description="Documents it begins with, before filters.")
    total_tiers: int
    message: str


class Segment(Answer):
    """Some of a collection's vectors, which a search scans or asks the index of."""

    segment: int
    state: Literal["open", "sealed", "indexed"] = Field(
        description="open: takes new documents; sealed: takes no more and is to be indexed. Both are scanned."
    )
    rows: int = Field(description="Documents written to it; once it is indexed, those that are left at that time.")
    is_shared: bool = Field(description="Whether it is in the table that small collections share, and never indexed.")
    created_at: datetime
    indexed_at: datetime | None
    task_id: str | None = Field(description="The task that indexed it.")


class CollectionSegments(Answer):
    """The segments of a collection's live generation, in the order they were made."""

    collection_id: str
    generation: int
    segments: list[Segment]
