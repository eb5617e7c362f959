"""A retriever as a row."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from mixpeek.contract.features import FeatureUri

_NOT_SHOWN = frozenset({"namespace_id", "dependencies"})


@dataclass(frozen=True)
class Retriever:
    """A named query recipe; `dependencies` are the collections that had each feature address when it was made."""

    retriever_id: str
    namespace_id: str
    retriever_name: str
    description: str | None
    collection_ids: list[str]
    stages: list[dict[str, Any]]
    input_schema: dict[str, Any]
    budget_limits: dict[str, Any] | None
    tags: list[str]
    visibility: str
    display_config: dict[str, Any] | None
    dependencies: dict[str, list[str]]
    version: int
    created_at: datetime
    updated_at: datetime

    def wire(self) -> dict[str, Any]:
        shown = {key: value for key, value in asdict(self).items() if key not in _NOT_SHOWN}
        return {**shown, "feature_dependencies": [_address(uri) for uri in self.dependencies]}


def _address(uri: str) -> dict[str, Any]:
    parsed = FeatureUri.parse(uri)
    return {
        "scheme": "mixpeek",
        "extractor": parsed.extractor,
        "version": parsed.version,
        "output": parsed.feature,
        "feature_uri": uri,
    }
