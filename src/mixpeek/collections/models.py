"""A collection joined with its live generation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Collection:
    collection_id: str
    namespace_id: str
    collection_name: str
    description: str | None
    source: dict[str, Any]
    feature_extractor: dict[str, Any]
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    metadata: dict[str, Any]
    enabled: bool
    live_generation: int
    created_at: datetime
    updated_at: datetime
    source_lineage: list[dict[str, Any]]
    source_bucket_schemas: dict[str, Any]
    plugin_namespace: str
    plugin_id: str
    code_hash: str
    features: list[dict[str, Any]]
    document_count: int

    def wire(self) -> dict[str, Any]:
        return {
            "collection_id": self.collection_id,
            "collection_name": self.collection_name,
            "description": self.description,
            "input_schema": self.input_schema,
            "output_schema": self.output_schema,
            "feature_extractor": {**self.feature_extractor, "feature_extractor_id": self.plugin_id},
            "source": self.source,
            "source_bucket_schemas": self.source_bucket_schemas,
            "source_lineage": self.source_lineage,
            "vector_indexes": self.features,
            "payload_indexes": [],
            "enabled": self.enabled,
            "metadata": self.metadata,
            "document_count": self.document_count,
            "schema_version": self.live_generation,
            "code_hash": self.code_hash,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }
