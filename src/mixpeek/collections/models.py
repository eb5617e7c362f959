"""A collection joined with its live generation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

LATEST = "latest"


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
        extractor = _extractor(self.feature_extractor, self.plugin_id)
        return {
            "collection_id": self.collection_id,
            "collection_name": self.collection_name,
            "description": self.description,
            "input_schema": self.input_schema,
            "output_schema": self.output_schema,
            "feature_extractor": extractor,
            "source": self.source,
            "source_bucket_schemas": self.source_bucket_schemas,
            "source_lineage": [
                *(
                    {**one, "feature_extractor": _extractor(one["feature_extractor"])}
                    for one in self.source_lineage[:-1]
                ),
                *({**one, "feature_extractor": extractor} for one in self.source_lineage[-1:]),
            ],
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


def _extractor(asked: dict[str, Any], plugin_id: str | None = None) -> dict[str, Any]:
    """Return how an extractor is used, in the documented shape: `latest` follows the active version."""
    version = asked["version"] or LATEST
    known = plugin_id or f"{asked['feature_extractor_name']}_{version.replace('.', '_')}"
    return {**asked, "version": version, "feature_extractor_id": known}
