"""Request bodies of collections."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from mixpeek.wire import WireModel


class Passthrough(WireModel):
    """One field of the source object to keep on its documents; `metadata.author` lands as `author`."""

    source_path: str
    target_path: str | None = None
    default: Any = None
    required: bool = False


class FeatureExtractor(WireModel):
    feature_extractor_name: str
    version: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    input_mappings: dict[str, str] = Field(default_factory=dict)
    field_passthrough: list[Passthrough] = Field(default_factory=list)
    include_all_source_fields: bool = False

    @field_validator("input_mappings", mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        """Read the list form, `[{input_key, path, source_type: payload}]`, as the mapping it means."""
        if isinstance(value, list):
            return {item.get("input_key"): item.get("path") for item in value if isinstance(item, dict)}
        return value

    @field_validator("field_passthrough", mode="before")
    @classmethod
    def _from_names(cls, value: Any) -> Any:
        return [{"source_path": v} if isinstance(v, str) else v for v in value] if isinstance(value, list) else value


class Source(WireModel):
    type: Literal["bucket"] = "bucket"
    bucket_ids: list[str] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _singular(cls, value: Any) -> Any:
        if isinstance(value, dict) and "bucket_id" in value and "bucket_ids" not in value:
            return {**{k: v for k, v in value.items() if k != "bucket_id"}, "bucket_ids": [value["bucket_id"]]}
        return value


class CreateCollection(WireModel):
    other_names: ClassVar[dict[str, str]] = {"name": "collection_name"}

    collection_name: str = Field(min_length=3, max_length=100)
    source: Source
    feature_extractor: FeatureExtractor
    description: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    enabled: bool = True

    @model_validator(mode="before")
    @classmethod
    def _plural(cls, value: Any) -> Any:
        """Accept `feature_extractors` holding exactly one."""
        if isinstance(value, dict) and "feature_extractors" in value and "feature_extractor" not in value:
            extractors = value["feature_extractors"]
            if isinstance(extractors, list) and len(extractors) == 1:
                rest = {k: v for k, v in value.items() if k != "feature_extractors"}
                return {**rest, "feature_extractor": extractors[0]}
        return value


class Trigger(WireModel):
    include_buckets: list[str] | None = None
