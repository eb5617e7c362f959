"""Request bodies of buckets and objects."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from mixpeek.wire import WireModel

FieldType = Literal[
    "string", "number", "integer", "float", "boolean", "object", "array", "date", "datetime",
    "text", "image", "audio", "video", "pdf", "excel", "json",
]  # fmt: skip


class BucketField(WireModel):
    type: FieldType
    required: bool = False
    default: Any = None
    enum: list[Any] | None = None
    examples: list[Any] | None = None
    description: str | None = None
    items: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None

    @field_validator("type", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


class BucketSchema(WireModel):
    properties: dict[str, BucketField] = Field(min_length=1)


class UniqueKey(WireModel):
    fields: list[str] = Field(min_length=1)
    default_policy: Literal["insert", "update", "upsert"] = "upsert"


class CreateBucket(WireModel):
    other_names: ClassVar[dict[str, str]] = {"name": "bucket_name"}

    bucket_name: str = Field(min_length=1, max_length=100)
    bucket_schema: BucketSchema = Field(alias="schema")
    description: str | None = None
    unique_key: UniqueKey | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _unique_key_is_not_kept_yet(self) -> CreateBucket:
        # Accepting a policy that nothing enforces would be silent; see CHANGELOG for what is served.
        if self.unique_key is not None:
            raise ValueError("`unique_key` is not supported yet; documents have deterministic ids without it")
        return self


class Blob(WireModel):
    """One value of an object; `data` is text, a number, an object, a list or a URL."""

    property: str = Field(min_length=1, max_length=100)
    type: FieldType
    data: Any
    metadata: dict[str, Any] = Field(default_factory=dict)
    key_prefix: str | None = None

    @field_validator("type", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


class CreateObject(WireModel):
    """An object: its blobs, and the bucket's other fields at the root or under `metadata`."""

    # Fields of the bucket's schema are sent at the root, so unknown keys are checked against that schema instead.
    model_config = ConfigDict(extra="allow", populate_by_name=True)

    blobs: list[Blob] = Field(default_factory=list)
    key_prefix: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    skip_duplicates: bool = False
    canonicalize_source: bool = True
    force_remirror: bool = False


class CreateObjects(WireModel):
    # Items are checked one by one, so that one bad object does not refuse the others.
    objects: list[dict[str, Any]] = Field(min_length=1, max_length=1000)
