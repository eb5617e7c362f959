"""Request bodies of collections."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from mixpeek.catalog.schemas import BucketSchema
from mixpeek.wire import WireModel

# Documented, and not served here: a body that asks for one is refused by its name instead of being taken for done.
UNSERVED = (
    "schedule",
    "taxonomy_applications",
    "cluster_applications",
    "alert_applications",
    "retriever_enrichments",
)


class Passthrough(WireModel):
    """One field of the source to keep on its documents; `metadata.author` lands as `author`."""

    source_path: str = Field(min_length=1)
    target_path: str | None = Field(None, min_length=1)
    default: Any = None
    required: bool = False


class MappedInput(WireModel):
    """One input of the extractor: a field of the source, a literal (`override`), or a vector of the source document."""

    input_key: str = Field(min_length=1)
    source_type: Literal["payload", "literal", "vector"] = "payload"
    path: str | None = Field(None, min_length=1)
    override: Any = None

    @model_validator(mode="after")
    def _says_what_to_read(self) -> MappedInput:
        if self.source_type == "literal":
            if "override" not in self.model_fields_set or self.path is not None:
                raise ValueError("a literal is given as `override`, without a `path`")
        elif self.path is None or self.override is not None:
            raise ValueError(f"a {self.source_type} is read at `path`, without an `override`")
        return self


def _form(value: Any) -> str:
    return "list" if isinstance(value, list) else "names"


# Told apart by its form alone, so that a fault is reported of the form that was sent.
InputMappings = Annotated[
    Annotated[dict[str, str], Tag("names")] | Annotated[list[MappedInput], Tag("list")], Discriminator(_form)
]


class FeatureExtractor(WireModel):
    feature_extractor_name: str
    version: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    params: dict[str, Any] | None = None
    input_mappings: InputMappings = Field(default_factory=dict)
    field_passthrough: list[Passthrough] = Field(default_factory=list)
    include_all_source_fields: bool = False

    @field_validator("parameters", "input_mappings", "field_passthrough", mode="before")
    @classmethod
    def _null_is_none_given(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None:
            return [] if info.field_name == "field_passthrough" else {}
        return value

    @field_validator("field_passthrough", mode="before")
    @classmethod
    def _from_names(cls, value: Any) -> Any:
        return [{"source_path": v} if isinstance(v, str) else v for v in value] if isinstance(value, list) else value

    @field_validator("input_mappings", mode="after")
    @classmethod
    def _each_input_once(cls, value: dict[str, str] | list[MappedInput]) -> dict[str, str] | list[MappedInput]:
        keys = [mapping.input_key for mapping in value] if isinstance(value, list) else list(value)
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is mapped more than once")
        return value

    @field_validator("params", mode="after")
    @classmethod
    def _params_are_not_served(cls, value: dict[str, Any] | None) -> None:
        if value:
            raise ValueError("`params`, locked by a namespace, are not served here; write them into `parameters`")


class Source(WireModel):
    """Where a collection's rows come from: objects of buckets, or documents of other collections."""

    type: Literal["bucket", "collection"] = "bucket"
    bucket_ids: list[str] | None = Field(None, min_length=1)
    collection_ids: list[str] | None = Field(None, min_length=1)
    source_filters: dict[str, Any] | None = None
    inherited_bucket_ids: list[str] | None = None
    source_namespace_id: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _singular(cls, value: Any) -> Any:
        """Accept the singular keys, each for a list of one."""
        if not isinstance(value, dict):
            return value
        if value.get("type") in ("taxonomy", "cluster"):
            raise ValueError(f"a source of type {value['type']!r} is not served here; use `bucket` or `collection`")
        for kind in ("bucket", "collection"):
            if value.get(f"{kind}_id") is None:
                value = {k: v for k, v in value.items() if k != f"{kind}_id"}
                continue
            if value.get(f"{kind}_ids") is not None:
                raise ValueError(f"give `{kind}_id` or `{kind}_ids`, not both")
            value = {**{k: v for k, v in value.items() if k != f"{kind}_id"}, f"{kind}_ids": [value[f"{kind}_id"]]}
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Source:
        own, other = ("bucket", "collection") if self.type == "bucket" else ("collection", "bucket")
        if getattr(self, f"{own}_ids") is None:
            raise ValueError(f"a source of type `{own}` needs `{own}_ids`")
        if getattr(self, f"{other}_ids") is not None:
            raise ValueError(f"`{other}_ids` do not belong to a source of type `{own}`")
        if self.source_namespace_id is not None:
            raise ValueError("`source_namespace_id` is not served here; a collection reads from its own namespace")
        return self

    @field_validator("source_filters", mode="after")
    @classmethod
    def _unwrapped(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        """Read the documented form, `{"filters": {…}}`, as the filters it holds."""
        return value["filters"] if value is not None and set(value) == {"filters"} else value


class _Served(WireModel):
    """A body whose documented parts are all served, or refused by name."""

    schedule: Any = None
    taxonomy_applications: Any = None
    cluster_applications: Any = None
    alert_applications: Any = None
    retriever_enrichments: Any = None

    @field_validator(*UNSERVED, mode="after")
    @classmethod
    def _is_not_served(cls, value: Any, info: ValidationInfo) -> Any:
        if value:
            raise ValueError(f"`{info.field_name}` is not served here; leave it out")
        return value


class CreateCollection(_Served):
    other_names: ClassVar[dict[str, str]] = {"name": "collection_name"}

    collection_name: str = Field(min_length=3, max_length=100)
    source: Source
    feature_extractor: FeatureExtractor
    input_schema: BucketSchema | None = None
    description: str | None = None
    metadata: dict[str, Any] | None = None
    enabled: bool | None = True

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


class CloneCollection(_Served):
    """A new collection like another one; what is given here replaces what it has."""

    collection_name: str = Field(min_length=3, max_length=100)
    source: Source | None = None
    feature_extractor: FeatureExtractor | None = None
    description: str | None = None
    metadata: dict[str, Any] | None = None
    enabled: bool | None = None


class UpdateCollection(_Served):
    """What of a collection may change; the rest decides its documents, so that it is cloned instead."""

    collection_name: str | None = Field(None, min_length=3, max_length=100)
    description: str | None = None
    metadata: dict[str, Any] | None = None
    enabled: bool | None = None
    source: Any = None
    feature_extractor: Any = None
    input_schema: Any = None
    output_schema: Any = None
    vector_indexes: Any = None


class Trigger(WireModel):
    include_buckets: list[str] | None = None
    include_collections: list[str] | None = None
    source_filters: dict[str, Any] | None = None
