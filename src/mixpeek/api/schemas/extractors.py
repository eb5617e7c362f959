"""Answers about feature extractors."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer
from mixpeek.api.schemas.plugins import DeclaredFeature


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
    required_vector_indexes: list[DeclaredFeature]
    position_fields: list[str]


class ExtractorList(Answer):
    """The extractors of a namespace."""

    success: Literal[True]
    extractors: list[Extractor]
    results: list[Extractor] = Field(description="The same as `extractors`.")
    total: int


class ExtractorAnswer(Answer):
    """One extractor."""

    success: Literal[True]
    extractor: Extractor
