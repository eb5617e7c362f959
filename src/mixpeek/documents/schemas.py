"""Request bodies of documents."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from mixpeek.wire import WireModel

NOT_SUPPORTED = ("push", "add_to_set", "first", "last")


class CreateDocument(WireModel):
    """A document that no extractor made; its fields stand at the root, beside where it comes from."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    collection_id: str | None = None
    root_object_id: str | None = None
    root_bucket_id: str | None = None
    source_type: Literal["bucket", "collection"] | None = None
    source_object_id: str | None = None
    source_document_id: str | None = None
    source_collection_id: str | None = None
    lineage_path: str | None = None
    lineage_chain: list[dict[str, Any]] | None = None
    document_schema_version: str | None = None
    features: list[dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _is_kept_whole(self) -> CreateDocument:
        if self.features:
            raise ValueError("`features` are made by the collection's extractor; create an object and trigger it")
        if self.document_schema_version not in (None, "v2"):
            raise ValueError("`document_schema_version` is v2 here; leave it out")
        return self


class SetFields(WireModel):
    """Fields of one document, by name."""

    model_config = ConfigDict(extra="allow")


class BulkUpdate(WireModel):
    """The same fields for every document that passes the filter; without one, for all."""

    filters: dict[str, Any] | None = None
    update_data: dict[str, Any] = Field(min_length=1)


class DocumentUpdate(WireModel):
    document_id: str
    update_data: dict[str, Any] = Field(min_length=1)


class BatchUpdate(WireModel):
    """Fields of chosen documents, or the same fields for all that pass a filter."""

    updates: list[DocumentUpdate] | None = Field(None, min_length=1, max_length=1000)
    filters: dict[str, Any] | None = None
    update_data: dict[str, Any] | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _is_one_of_both(self) -> BatchUpdate:
        by_filter = self.filters is not None or self.update_data is not None
        if (self.updates is not None) == by_filter or (by_filter and not (self.filters and self.update_data)):
            raise ValueError("send either `updates`, or `filters` with `update_data`")
        return self


class BatchDelete(WireModel):
    """Chosen documents, or all that pass a filter."""

    document_ids: list[str] | None = Field(None, min_length=1, max_length=1000)
    filters: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> BatchDelete:
        # An empty filter would pass everything: that is too much to be asked for by two brackets.
        if (self.document_ids is None) == (not self.filters):
            raise ValueError("send either `document_ids`, or `filters` that are not empty")
        return self


class GroupBy(WireModel):
    field: str = Field(min_length=1)
    alias: str | None = None
    date_trunc: Literal["year", "month", "week", "day", "hour", "minute", "second"] | None = None
    date_part: Literal["year", "month", "week", "day", "hour", "minute", "second"] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> GroupBy:
        if self.date_trunc and self.date_part:
            raise ValueError("send either `date_trunc` or `date_part`")
        return self


class Operation(WireModel):
    function: Literal["count", "count_distinct", "sum", "avg", "min", "max"]
    field: str | None = None
    alias: str = Field(min_length=1)
    distinct_field: str | None = None

    @field_validator("function", mode="before")
    @classmethod
    def _is_supported(cls, value: Any) -> Any:
        if value in NOT_SUPPORTED:
            raise ValueError(f"{value!r} is not supported, as its result has no bound; list the documents instead")
        return value.lower() if isinstance(value, str) else value

    @property
    def read(self) -> str | None:
        """The field that is read; None counts documents."""
        return self.distinct_field or self.field if self.function == "count_distinct" else self.field

    @model_validator(mode="after")
    def _has_its_field(self) -> Operation:
        if self.function != "count" and self.read is None:
            raise ValueError(f"`{self.function}` needs a `field`")
        return self


class Having(WireModel):
    field: str
    operator: Literal["eq", "ne", "gt", "gte", "lt", "lte"]
    value: float


class Aggregate(WireModel):
    """Figures over documents, for each combination of the values they are grouped by; without `group_by`, over all."""

    group_by: list[GroupBy] = Field(default_factory=list, max_length=10)
    aggregations: list[Operation] = Field(min_length=1, max_length=20)
    filters: dict[str, Any] | None = None
    having: list[Having] = Field(default_factory=list, max_length=20)
    sort_by: str | None = None
    sort_direction: Literal["asc", "desc"] = "desc"
    limit: int = Field(1000, ge=1, le=10_000)
    unwind: str | None = None
    range_buckets: list[dict[str, Any]] | None = None

    @field_validator("having", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return [] if value is None else value

    @model_validator(mode="after")
    def _names_fit(self) -> Aggregate:
        for name in ("unwind", "range_buckets"):
            if getattr(self, name):
                raise ValueError(f"`{name}` is not supported; filter or group by a field instead")
        aliases = [operation.alias for operation in self.aggregations]
        if len(set(aliases)) < len(aliases):
            raise ValueError("each aggregation has an alias of its own")
        keys = [group.alias or group.field for group in self.group_by]
        if len(set(keys)) < len(keys):
            raise ValueError("each field that is grouped by has a name of its own; give one an `alias`")
        for condition in self.having:
            if condition.field not in aliases:
                raise ValueError(f"`having` names {condition.field!r}; the aliases are: {', '.join(aliases)}")
        if self.sort_by is not None and self.sort_by not in (*aliases, *keys):
            raise ValueError(f"`sort_by` names {self.sort_by!r}; there are: {', '.join((*aliases, *keys))}")
        return self
