"""Request bodies of buckets, objects and uploads."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from mixpeek.wire import WireModel

FieldType = Literal[
    "string", "number", "integer", "float", "boolean", "object", "array", "date", "datetime",
    "text", "image", "audio", "video", "pdf", "excel", "json",
]  # fmt: skip
Policy = Literal["insert", "update", "upsert"]


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
    """Which fields keep a bucket's objects apart, and what happens to an object that has those of another one."""

    fields: list[str] = Field(min_length=1, max_length=16)
    default_policy: Policy = "upsert"


class CreateBucket(WireModel):
    other_names: ClassVar[dict[str, str]] = {"name": "bucket_name"}

    bucket_name: str = Field(min_length=1, max_length=100)
    bucket_schema: BucketSchema = Field(alias="schema")
    description: str | None = None
    unique_key: UniqueKey | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class ReplaceBucket(CreateBucket):
    """A bucket's description as a whole; what is left out becomes empty, but for its unique key, which stays."""


class ChangeBucket(WireModel):
    """What is given replaces what was; `bucket_schema` may add properties, and change those no object has."""

    bucket_name: str | None = Field(None, min_length=1, max_length=100)
    bucket_schema: BucketSchema | None = Field(None, alias="schema")
    description: str | None = None
    unique_key: UniqueKey | None = None
    metadata: dict[str, Any] | None = None


class Blob(WireModel):
    """One value of an object: `data` (a value, an address, a data URI, `{"base64": …}`) or a confirmed `upload_id`."""

    property: str = Field(min_length=1, max_length=100)
    type: FieldType
    data: Any = None
    upload_id: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    key_prefix: str | None = None
    canonicalize_source: bool = True
    force_remirror: bool = False

    @field_validator("type", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("canonicalize_source")
    @classmethod
    def _is_stored(cls, value: bool) -> bool:
        return _source_is_stored(value)

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        if (self.data is None) == (self.upload_id is None):
            raise ValueError("a blob has `data` or `upload_id`, and not both")
        return self


class ObjectBody(WireModel):
    """Blobs, and the bucket's other fields at the root or under `metadata`."""

    # Fields of the bucket's schema are sent at the root, so unknown keys are checked against that schema instead.
    model_config = ConfigDict(extra="allow", populate_by_name=True)

    blobs: list[Blob] = Field(default_factory=list, max_length=1000)
    key_prefix: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class CreateObject(ObjectBody):
    """An object: its blobs, and the bucket's other fields at the root or under `metadata`."""

    skip_duplicates: bool = False
    canonicalize_source: bool = True
    force_remirror: bool = False

    @field_validator("canonicalize_source")
    @classmethod
    def _is_stored(cls, value: bool) -> bool:
        return _source_is_stored(value)


class ReplaceObject(ObjectBody):
    """The object as a whole: what is left out is gone. A file's `data` may be sent as the object was answered with."""


class ChangeObject(ObjectBody):
    """Fields replace those of the same name, null removes one; blobs replace those of the same property."""


class CreateObjects(WireModel):
    # Items are checked one by one, so that one bad object does not refuse the others.
    objects: list[dict[str, Any]] = Field(min_length=1, max_length=1000)


class RequestBucketUpload(WireModel):
    """What will be uploaded, and what becomes of it when it is confirmed."""

    filename: str = Field(min_length=1, max_length=255)
    content_type: str = Field(min_length=3, max_length=200, pattern=r"^[\w.+-]+/[\w.+-]+(;.*)?$")
    file_size_bytes: int | None = Field(None, ge=0, description="How many bytes the PUT may send and confirm expects.")
    presigned_url_expiration: int = Field(3600, ge=60, le=86400)
    create_object_on_confirm: bool = True
    object_metadata: dict[str, Any] = Field(default_factory=dict, description="Fields of the object.")
    blob_property: str | None = Field(
        None,
        description="Default: the schema's only property for files; where there is none, its only one for text.",
    )
    blob_type: FieldType | None = Field(None, description="Default: as the schema declares the property.")
    file_hash: str | None = Field(
        None,
        pattern=r"^(sha256:)?[0-9A-Fa-f]{64}$",
        description="sha256 in hexadecimal; what arrives must have it.",
    )
    skip_duplicates: bool = Field(True, description="What the bucket has from an upload makes no second object.")

    @field_validator("blob_type", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @property
    def sha256(self) -> str | None:
        return self.file_hash and self.file_hash.lower().removeprefix("sha256:")


class ConfirmBucketUpload(WireModel):
    etag: str | None = Field(None, description="As the PUT answered.")
    file_size_bytes: int | None = Field(None, ge=0)


def _source_is_stored(value: bool) -> bool:
    if not value:
        raise ValueError("`canonicalize_source: false` is not supported: content is stored when the object is created")
    return value
