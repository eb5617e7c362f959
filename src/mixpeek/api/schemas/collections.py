"""Answers about collections."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, PageInfo


class KeptField(Answer):
    """One field of the source object that is kept on its documents."""

    source_path: str
    target_path: str | None
    default: Any
    required: bool


class CollectionExtractor(Answer):
    """How a collection uses its feature extractor."""

    feature_extractor_name: str
    version: str | None = Field(description="As asked for; null follows the active version.")
    parameters: dict[str, Any]
    input_mappings: dict[str, str]
    field_passthrough: list[KeptField]
    include_all_source_fields: bool
    feature_extractor_id: str = Field(description="The version that made the documents.")


class CollectionSource(Answer):
    """Where a collection's objects come from."""

    type: Literal["bucket"]
    bucket_ids: list[str]


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
    """A collection: where its objects come from, what extracts their features, what can be searched."""

    collection_id: str
    collection_name: str
    description: str | None
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    feature_extractor: CollectionExtractor
    source: CollectionSource
    source_lineage: list[dict[str, Any]]
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


class CollectionDeleted(Answer):
    """A collection is gone, with its documents."""

    success: Literal[True]
    collection_id: str
    message: str


class CollectionTriggered(Answer):
    """A batch over a collection's objects is queued."""

    batch_id: str
    task_id: str = Field(description="Poll GET /v1/tasks/{task_id}.")
    collection_id: str
    source_bucket_ids: list[str]
    source_collection_ids: list[str]
    object_count: int
    document_count: int
    total_tiers: int
    message: str
