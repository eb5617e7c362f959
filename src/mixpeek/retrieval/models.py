"""A retriever as a row, and what flows between the stages of an execution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from mixpeek.collections.models import Collection
from mixpeek.db.pool import Connection
from mixpeek.documents.port import DocumentStore
from mixpeek.registry.models import PluginVersion


@dataclass(frozen=True)
class Retriever:
    retriever_id: str
    namespace_id: str
    retriever_name: str
    description: str | None
    collection_ids: list[str]
    stages: list[dict[str, Any]]
    input_schema: dict[str, Any]
    tags: list[str]
    version: int
    created_at: datetime
    updated_at: datetime

    def wire(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "namespace_id"}


@dataclass
class Result:
    """One document on its way through the stages."""

    document_id: str
    collection_id: str
    score: float
    features: dict[str, float] = field(default_factory=dict)


# Asks the plugin behind a version for its realtime answer: (version, inputs, parameters) → reply.
Predict = Callable[[PluginVersion, dict[str, Any], dict[str, Any]], Any]


@dataclass(frozen=True)
class Context:
    """What a stage may use."""

    connection: Connection
    documents: DocumentStore
    collections: list[Collection]
    inputs: dict[str, Any]
    find_version: Callable[[str, str], PluginVersion]
    predict: Predict
    warnings: list[str]
