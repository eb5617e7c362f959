"""Answers about buckets and their objects; an object carries its bucket's fields at the root."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, OpenAnswer, PageInfo


class BatchStats(Answer):
    """How the batches over a bucket stand; drafts and cancelled ones count in the total alone."""

    total: int
    active: int
    completed: int
    failed: int


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
    batch_stats: BatchStats
    storage_stats: None


class BucketPage(Answer):
    """A page of buckets."""

    results: list[Bucket]
    pagination: PageInfo
    total_count: int


class BucketDeleted(Answer):
    """That a bucket is gone."""

    success: Literal[True]
    bucket_id: str
    message: str


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
    data: Any = Field(description="The value, or for a file the address of its content.")
    properties: dict[str, Any] = Field(description="What the file says about itself, and the blob's `metadata`.")
    details: BlobDetails
    presigned_url: str | None = Field(
        None, description="With `return_presigned_urls`, of a file: GET it without a key."
    )


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
    batch_id: str | None = Field(None, description="With `auto_process`: the batch that was started.")
    task_id: str | None = Field(None, description="With `auto_process`: the task to poll.")


class ListedObject(OpenAnswer):
    """An object in a list; with `select` only its ids and the selected fields."""

    object_id: str
    bucket_id: str


class ObjectPage(Answer):
    """A page of objects, in the order they were made."""

    results: list[ListedObject]
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
    batch_id: str | None = Field(None, description="With `auto_process`: the batch that was started.")
    task_id: str | None = Field(None, description="With `auto_process`: the task to poll.")


class BucketUpload(Answer):
    """One file on its way into a bucket, or there."""

    upload_id: str
    bucket_id: str
    filename: str
    content_type: str = Field(description="As announced; once confirmed, as its content says.")
    file_size_bytes: int | None
    file_hash: str | None = Field(description="sha256 in hexadecimal: announced, then that of the content.")
    s3_key: str
    create_object_on_confirm: bool
    object_metadata: dict[str, Any]
    blob_property: str | None
    blob_type: str | None
    skip_duplicates: bool
    status: Literal["PENDING", "COMPLETED"]
    object_id: str | None = Field(description="The object made of it, or the one that holds the same content.")
    is_duplicate: bool
    duplicate_of_upload_id: str | None
    presigned_url_expiration: int = Field(description="For how many seconds from its creation it is open.")
    created_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None
    presigned_url: str | None = Field(
        None, description="With `return_presigned_urls`, of a confirmed file: GET it without a key."
    )


class BucketUploadOpened(BucketUpload):
    """Where to send a file."""

    presigned_url: str | None = Field(description="PUT the bytes there, without a key; null for a duplicate.")
    message: str


class BucketUploadConfirmed(BucketUpload):
    """What became of a file."""

    success: Literal[True]


class BucketUploadStats(Answer):
    """Figures over the uploads of one page."""

    total_uploads: int
    total_size_bytes: int
    uploads_by_status: dict[str, int]
    avg_file_size_bytes: float
    unique_buckets: int


class BucketUploadPage(Answer):
    """A page of uploads."""

    results: list[BucketUpload]
    pagination: PageInfo
    stats: BucketUploadStats
