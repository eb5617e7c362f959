"""Answers about buckets and their objects; an object carries its bucket's fields at the root."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, OpenAnswer, PageInfo


class Bucket(Answer):
    """A bucket and how much it holds."""

    bucket_id: str
    namespace_id: str
    bucket_name: str
    description: str | None
    bucket_schema: dict[str, Any] = Field(description="`properties`: each field's declaration by its name.")
    unique_key: dict[str, Any] | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    object_count: int
    total_size_bytes: int
    last_upload_at: datetime | None
    status: Literal["ACTIVE"]
    is_locked: bool


class BucketPage(Answer):
    """A page of buckets."""

    results: list[Bucket]
    pagination: PageInfo


class BlobDetails(Answer):
    """What is known of a blob's content."""

    filename: str | None
    size_bytes: int
    mime_type: str
    hash: str = Field(description="sha256 of the content, in hexadecimal.")


class StoredBlob(Answer):
    """One stored value of an object."""

    blob_id: str
    property: str
    key_prefix: str | None
    type: str
    data: Any
    properties: dict[str, Any]
    details: BlobDetails


class StoredObject(OpenAnswer):
    """An object; the fields of its bucket's schema are at the root beside these."""

    object_id: str
    bucket_id: str
    key_prefix: str | None
    blobs: list[StoredBlob]
    metadata: dict[str, Any] = Field(description="The object's fields, again.")
    source_details: list[dict[str, Any]]
    status: str
    error: None
    created_at: datetime
    updated_at: datetime


class ObjectPage(Answer):
    """A page of objects, in the order they were made."""

    results: list[StoredObject]
    pagination: PageInfo


class FailedObject(Answer):
    """Why one object of a request was not stored."""

    object_index: int = Field(description="Its place in the request, from 0.")
    error: str
    error_type: str


class ObjectsCreated(Answer):
    """What became of each object of a request."""

    succeeded: list[StoredObject]
    failed: list[FailedObject]
    total_requested: int
    succeeded_count: int
    failed_count: int
