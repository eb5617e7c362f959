"""A collection joined with its live generation, and an upgrade of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from mixpeek.collections.upgrade_states import State
from mixpeek.contract.features import FeatureUri

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
    former_features: list[str]  # addresses that generations searched before had; they mean the live one's features
    is_upgrading: bool  # two generations are kept, so that none is opened besides

    def find_feature(self, wanted: FeatureUri) -> dict[str, Any] | None:
        """Return the vector index that an address means: its own, or that of a generation searched before by name."""
        for index in self.features:
            if wanted.is_same(FeatureUri.parse(index["feature_uri"])):
                return index
        for former in map(FeatureUri.parse, self.former_features):
            if wanted.is_same(former):
                return next((index for index in self.features if index["name"] == former.feature), None)
        return None

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


@dataclass(frozen=True)
class Upgrade:
    """A generation made by another version, from the moment it is begun until one of the two is dropped."""

    upgrade_id: str
    namespace_id: str
    collection_id: str
    state: str
    from_generation: int
    to_generation: int
    from_plugin_id: str
    to_plugin_id: str
    from_version: str | None
    batch_id: str | None
    task_id: str | None
    error: str | None
    behind: str | None
    comparison: dict[str, Any] | None
    timeline: list[dict[str, Any]]
    created_at: datetime
    updated_at: datetime

    @property
    def at(self) -> State:
        return State(self.state)

    def wire(self) -> dict[str, Any]:
        hidden = ("namespace_id", "from_version")
        return {key: value for key, value in asdict(self).items() if key not in hidden}
