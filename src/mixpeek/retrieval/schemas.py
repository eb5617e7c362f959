"""Request bodies of retrievers."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from mixpeek.wire import WireModel


class StageConfig(WireModel):
    stage_id: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class Stage(WireModel):
    stage_name: str
    stage_type: Literal["filter", "sort", "reduce", "apply", "enrich"] | None = None
    config: StageConfig
    description: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        """Accept `stage_id` and `parameters` beside `stage_name`, as most documented examples write them."""
        if isinstance(value, dict) and "config" not in value and "stage_id" in value:
            inner = {key: value[key] for key in ("stage_id", "parameters") if key in value}
            return {**{k: v for k, v in value.items() if k not in inner}, "config": inner}
        return value


class InputField(WireModel):
    type: str = "text"
    description: str | None = None
    required: bool = False
    default: Any = None
    examples: list[Any] | None = None
    enum: list[Any] | None = None
    items: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None


class CreateRetriever(WireModel):
    other_names: ClassVar[dict[str, str]] = {"name": "retriever_name"}

    retriever_name: str = Field(min_length=1, max_length=100)
    collection_identifiers: list[str] = Field(min_length=1)
    stages: list[Stage] = Field(min_length=1)
    input_schema: dict[str, InputField] = Field(default_factory=dict)
    description: str | None = None
    tags: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _unwrap_properties(cls, value: Any) -> Any:
        """Accept the input schema wrapped in `properties`."""
        if isinstance(value, dict) and isinstance(value.get("input_schema"), dict):
            schema = value["input_schema"]
            if set(schema) == {"properties"} and isinstance(schema["properties"], dict):
                return {**value, "input_schema": schema["properties"]}
        return value


class Pagination(WireModel):
    method: Literal["offset"] = "offset"
    page_size: int = Field(10, ge=1, le=500, alias="limit")
    page_number: int = Field(1, ge=1)


class Execute(WireModel):
    inputs: dict[str, Any] = Field(default_factory=dict)
    pagination: Pagination | None = None

    @model_validator(mode="before")
    @classmethod
    def _singular(cls, value: Any) -> Any:
        if isinstance(value, dict) and "input" in value and "inputs" not in value:
            return {**{k: v for k, v in value.items() if k != "input"}, "inputs": value["input"]}
        return value
