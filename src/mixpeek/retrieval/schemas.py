"""Request bodies of retrievers."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from mixpeek.retrieval.context import MOST_RESULTS
from mixpeek.retrieval.wrong_shapes import refuse_wrong_shape
from mixpeek.wire import WireModel

StageType = Literal["filter", "sort", "reduce", "apply", "enrich"]
Visibility = Literal["private", "public", "marketplace"]
MOST_STAGES = 50


class StageConfig(WireModel):
    """What a stage does, and what is filtered before and after it."""

    stage_id: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    pre_filters: dict[str, Any] | None = Field(None, description="What comes in has to pass; case matters.")
    post_filters: dict[str, Any] | None = Field(None, description="What goes out has to pass; case matters.")


class Stage(WireModel):
    """One step of a retriever."""

    stage_name: str = Field(min_length=1, max_length=100)
    stage_type: StageType | None = Field(None, description="Follows from the stage.")
    config: StageConfig
    batch_size: int | str | None = Field(None, description="Without effect.")
    description: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        """Accept `stage_id` and `parameters` beside `stage_name`, as most documented examples write them.

        Such examples leave out the name, too, and call the type of `group_by` after itself.
        """
        if not isinstance(value, dict):
            return value
        value = dict(value)
        if "config" not in value and "stage_id" in value:
            inner = {
                key: value.pop(key) for key in ("stage_id", "parameters", "pre_filters", "post_filters") if key in value
            }
            value["config"] = {key: item for key, item in inner.items() if item is not None}
        config = value.get("config")
        if "stage_name" not in value and isinstance(config, dict) and isinstance(config.get("stage_id"), str):
            value["stage_name"] = config["stage_id"]
        if value.get("stage_type") == "group":
            value["stage_type"] = "reduce"
        return value


class InputField(WireModel):
    """One input of a retriever."""

    type: Literal[
        "text", "string", "number", "integer", "float", "boolean", "object", "array", "date", "datetime", "image",
        "audio", "video", "pdf", "excel", "json", "document_reference",
    ] = "text"  # fmt: skip
    description: str | None = None
    required: bool = False
    default: Any = None
    examples: list[Any] | None = None
    enum: list[Any] | None = None
    items: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None


class BudgetLimits(WireModel):
    """What one execution may cost."""

    max_credits: float | None = Field(None, ge=0, description="Kept; nothing costs credits here.")
    max_time_ms: int | None = Field(None, ge=1, description="An execution that takes longer is ended with an error.")


def _unwrapped(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an input schema without the `properties` that some documents wrap it in, as JSON Schema does."""
    inner = schema.get("properties")
    if not isinstance(inner, dict) or set(schema) - {"properties", "required", "type"} or "type" in inner:
        return schema
    needed = schema["required"] if isinstance(schema.get("required"), list) else []
    return {
        name: {**field, "required": True} if name in needed and isinstance(field, dict) else field
        for name, field in inner.items()
    }


class Recipe(WireModel):
    """Stages over collections, with the inputs they take."""

    collection_identifiers: list[str] = Field(default_factory=list, max_length=100, description="Ids or names.")
    stages: list[Stage] = Field(min_length=1, max_length=MOST_STAGES)
    input_schema: dict[str, InputField] = Field(default_factory=dict)
    budget_limits: BudgetLimits | None = None

    @model_validator(mode="before")
    @classmethod
    def _known_shape(cls, value: Any) -> Any:
        """Accept the input schema wrapped in `properties`, and refuse the shapes of other documents by name."""
        if not isinstance(value, dict):
            return value
        refuse_wrong_shape(value)
        if isinstance(value.get("input_schema"), dict):
            value = {**value, "input_schema": _unwrapped(value["input_schema"])}
        for name in ("collection_identifiers", "input_schema"):
            if name in value and value[name] is None:
                value = {key: item for key, item in value.items() if key != name}
        return value

    @model_validator(mode="after")
    def _names_are_apart(self) -> Recipe:
        names = [stage.stage_name for stage in self.stages]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None and any(stage.stage_name != stage.config.stage_id for stage in self.stages):
            raise ValueError(f"two stages are named {twice!r}; statistics go by the name, so give each its own")
        seen: dict[str, int] = {}
        for stage in self.stages:
            seen[stage.stage_name] = seen.get(stage.stage_name, 0) + 1
            if seen[stage.stage_name] > 1:
                stage.stage_name = f"{stage.stage_name}_{seen[stage.stage_name]}"
        return self


class CreateRetriever(Recipe):
    """A retriever to keep under a name."""

    other_names: ClassVar[dict[str, str]] = {"name": "retriever_name"}

    retriever_name: str = Field(min_length=1, max_length=100)
    description: str | None = None
    tags: list[str] | None = Field(None, max_length=100)
    visibility: Visibility | None = Field(None, description="Kept; who may read a retriever goes by the key.")
    display_config: dict[str, Any] | None = Field(None, description="Kept as it is.")
    marketplace_listing_id: None = Field(None, description="Not served.")
    requires_subscription: Literal[False] | None = Field(None, description="Not served.")


class PatchRetriever(WireModel):
    """What may change of a retriever."""

    other_names: ClassVar[dict[str, str]] = {"name": "retriever_name"}

    retriever_name: str | None = Field(None, min_length=1, max_length=100)
    description: str | None = None
    tags: list[str] | None = Field(None, max_length=100)
    visibility: Visibility | None = None
    display_config: dict[str, Any] | None = None
    marketplace_listing_id: None = Field(None, description="Not served.")
    requires_subscription: Literal[False] | None = Field(None, description="Not served.")
    stages: Any = Field(None, description="Cannot be changed; clone the retriever.")
    input_schema: Any = Field(None, description="Cannot be changed; clone the retriever.")
    collection_identifiers: Any = Field(None, description="Cannot be changed; clone the retriever.")
    budget_limits: Any = Field(None, description="Cannot be changed; clone the retriever.")


class CloneRetriever(WireModel):
    """A name for the clone, and what is to be different in it."""

    other_names: ClassVar[dict[str, str]] = {"name": "retriever_name"}

    retriever_name: str = Field(min_length=1, max_length=100)
    description: str | None = None
    collection_identifiers: list[str] | None = None
    stages: list[Any] | None = None
    input_schema: dict[str, Any] | None = None
    budget_limits: dict[str, Any] | None = None
    tags: list[str] | None = None
    display_config: dict[str, Any] | None = None


class Pagination(WireModel):
    """Which part of the results to show.

    `cursor` follows `next_cursor`, `keyset` the `after` of the answer before; `offset` counts pages; `scroll` keeps the
    results as they were found and pages through them.
    """

    method: Literal["cursor", "offset", "keyset", "scroll"] = "cursor"
    limit: int | None = Field(None, ge=1, le=1000, description="Documents of a page, 10; 500 at most, scrolls 1,000.")
    page_size: int | None = Field(None, ge=1, le=500, description="`limit`, as `offset` spells it.")
    page_number: int = Field(1, ge=1, le=MOST_RESULTS)
    offset: int | None = Field(None, ge=0, le=MOST_RESULTS, description="Documents to pass over.")
    cursor: str | None = None
    after: dict[str, Any] | None = None
    scroll_id: str | None = None
    scroll_ttl: int = Field(300, ge=60, le=3600, description="Seconds that a scroll lives on after each page.")

    @model_validator(mode="before")
    @classmethod
    def _method_by_its_keys(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("method") is None:
            by_key = {"page_number": "offset", "page_size": "offset", "offset": "offset", "after": "keyset"}
            by_key |= {"scroll_id": "scroll", "scroll_ttl": "scroll"}
            method = next((method for key, method in by_key.items() if value.get(key) is not None), "cursor")
            return {**value, "method": method}
        return value

    @model_validator(mode="after")
    def _fits_its_method(self) -> Pagination:
        if self.limit is not None and self.page_size is not None:
            raise ValueError("send either `limit` or `page_size`")
        if self.method != "scroll" and self.size > 500:
            raise ValueError("a page has 500 documents at most; `scroll` has 1,000")
        return self

    @property
    def size(self) -> int:
        return self.limit or self.page_size or (100 if self.method == "scroll" else 10)


# Keys that documents put beside `inputs`, and what to do instead.
NOT_AT_THE_TOP = {
    "filters": "filter with an `attribute_filter` stage, or with `pre_filters` of a search",
    "limit": "the stages say how many there are, `pagination` which of them are shown",
    "offset": "`pagination` says which documents are shown",
    "sort": "sort with a `sort_attribute` stage",
    "select": "a `json_transform` stage says which fields are shown",
    "group_by": "group with a `group_by` stage",
    "session_id": "executions do not belong to sessions here",
    "explain": "POST …/execute/explain says what an execution would do",
    "settings": "a retriever's settings are its stages",
    "collection_identifiers": "a retriever searches the collections that it was made with",
    "collection_ids": "a retriever searches the collections that it was made with",
}


class ExecuteOptions(WireModel):
    """How to execute, whatever is executed."""

    inputs: dict[str, Any] = Field(default_factory=dict)
    pagination: Pagination | None = Field(None, description="Default all documents, 500 at most.")
    stream: bool = Field(False, description="Tell of each stage as it ends, as server-sent events.")
    return_vectors: bool | None = Field(None, description="As in the query.")
    return_presigned_urls: bool | None = Field(None, description="As in the query.")

    @model_validator(mode="before")
    @classmethod
    def _singular(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        value = dict(value)
        if "input" in value and "inputs" not in value:
            value["inputs"] = value.pop("input")
        if "return_urls" in value and "return_presigned_urls" not in value:
            value["return_presigned_urls"] = value.pop("return_urls")
        if value.get("inputs", ...) is None:
            del value["inputs"]
        return value


class Execute(ExecuteOptions):
    """The inputs of an execution. What has no place beside them is not carried out; a warning says so."""

    filters: Any = Field(None, description="Not carried out; filter in a stage.")
    limit: Any = Field(None, description="Not carried out; see `pagination`.")
    offset: Any = Field(None, description="Not carried out; see `pagination`.")
    sort: Any = Field(None, description="Not carried out; sort in a stage.")
    select: Any = Field(None, description="Not carried out.")
    group_by: Any = Field(None, description="Not carried out; group in a stage.")
    session_id: Any = Field(None, description="Not carried out.")
    explain: Any = Field(None, description="Not carried out; see `execute/explain`.")
    settings: Any = Field(None, description="Not carried out.")
    collection_identifiers: Any = Field(None, description="Not carried out.")
    collection_ids: Any = Field(None, description="Not carried out.")

    def ignored(self) -> list[str]:
        """Return what was sent and is not carried out, in words."""
        return [
            f"`{name}` was not carried out: {advice}"
            for name, advice in NOT_AT_THE_TOP.items()
            if getattr(self, name) is not None
        ]


class ExecuteAdHoc(ExecuteOptions, Recipe):
    """A retriever that is not kept, with its inputs."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """Accept the stages of the client's `search`: `{"type": "feature_search", "query": …, "limit": …}`."""
        if not isinstance(value, dict) or not isinstance(value.get("stages"), list):
            return value
        stages, named = [], list[str]()
        for stage in value["stages"]:
            is_short = isinstance(stage, dict) and "type" in stage and not {"config", "stage_id"} & stage.keys()
            if not is_short:
                stages.append(stage)
                continue
            parameters = {key: item for key, item in stage.items() if key != "type"}
            if stage["type"] == "feature_search" and "query" in parameters:
                named += parameters.pop("collection_ids", None) or []
                limit = parameters.pop("limit", 10)
                parameters.pop("feature_extractor", None)
                query, inputs = parameters.pop("query"), value.get("inputs")
                # The words stand in the stage as well as in the inputs, and words are no template.
                if isinstance(inputs, dict) and inputs.get("query") == query:
                    query = "{{INPUT.query}}"
                search = {"feature_uri": "*", "query": query, "top_k": limit}
                parameters = {"searches": [search], "final_top_k": limit, **parameters}
            stages.append({"stage_id": stage["type"], "parameters": parameters})
        if named and not value.get("collection_identifiers"):
            value = {**value, "collection_identifiers": named}
        return {**value, "stages": stages}


class Explain(WireModel):
    """The inputs of an execution that is not carried out."""

    inputs: dict[str, Any] | None = None
    pagination: Pagination | None = None
    stream: bool | None = None
