"""Answers about namespaces."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, PageInfo


class Namespace(Answer):
    """A namespace and how much it holds."""

    namespace_id: str
    namespace_name: str
    namespace_type: str
    description: str | None
    feature_extractors: list[dict[str, Any]]
    payload_indexes: list[dict[str, Any]]
    auto_create_indexes: bool
    created_at: datetime
    updated_at: datetime
    bucket_count: int
    collection_count: int
    object_count: int
    document_count: int
    vector_inference_map: dict[str, str]
    infrastructure: None
    cluster_id: None


class NamespaceSaved(Namespace):
    """A namespace as it was made or changed."""

    warnings: list[str] = Field(description="What was asked for and changes nothing here.")


class NamespacePage(Answer):
    """A page of namespaces."""

    results: list[Namespace]
    pagination: PageInfo
    total_count: int


class NamespaceDeleted(Answer):
    """A namespace is gone, with everything in it."""

    success: Literal[True]
    namespace_id: str
    message: str
