"""Answers about feature extractors."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer


class SingleIndex(Answer):
    """How the vectors of one feature are stored and compared."""

    name: str
    description: str
    dimensions: int
    type: Literal["dense"]
    distance: Literal["cosine", "dot", "euclidean"]
    datatype: Literal["float32"]
    inference_name: str


class IndexDefinition(Answer):
    """One embedding an extractor makes, and its index."""

    feature_uri: str
    name: str
    description: str
    type: Literal["single"]
    index: SingleIndex


class Extractor(Answer):
    """What a collection can use."""

    plugin_id: str
    name: str
    version: str
    description: str
    deployed: bool
    active: bool
    validation_status: Literal["passed"]
    feature_uri: str
    code_hash: str
    created_at: datetime
    updated_at: datetime
    feature_extractor_id: str
    feature_extractor_name: str
    source: Literal["builtin", "custom", "community"]
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    parameter_schema: dict[str, Any]
    icon: str
    supported_input_types: list[str]
    max_inputs: dict[str, int]
    default_parameters: dict[str, Any]
    costs: None
    required_vector_indexes: list[IndexDefinition]
    required_payload_indexes: list[dict[str, Any]]
    position_fields: list[str]


class ExtractorList(Answer):
    """The extractors of a namespace."""

    success: Literal[True]
    extractors: list[Extractor]
    results: list[Extractor] = Field(description="The same as `extractors`.")
    total: int
    namespace_id: str
    builtin_count: int
    custom_count: int
