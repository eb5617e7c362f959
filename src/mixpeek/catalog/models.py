"""Buckets, objects and uploads as rows, and an object on its way to becoming one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Bucket:
    bucket_id: str
    namespace_id: str
    bucket_name: str
    description: str | None
    bucket_schema: dict[str, Any]
    unique_key: dict[str, Any] | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    object_count: int
    total_size_bytes: int
    last_upload_at: datetime | None

    def wire(self) -> dict[str, Any]:
        return {**asdict(self), "status": "ACTIVE", "is_locked": False}


@dataclass(frozen=True)
class StoredObject:
    object_id: str
    namespace_id: str
    bucket_id: str
    sequence: int
    key_prefix: str | None
    blobs: list[dict[str, Any]]
    fields: dict[str, Any]
    status: str
    created_at: datetime
    updated_at: datetime
    source_details: list[dict[str, Any]] = field(default_factory=list)

    def wire(self) -> dict[str, Any]:
        return {
            **self.fields,
            "object_id": self.object_id,
            "bucket_id": self.bucket_id,
            "key_prefix": self.key_prefix,
            "blobs": self.blobs,
            "metadata": self.fields,
            "source_details": self.source_details,
            "status": self.status,
            "error": None,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }


@dataclass(slots=True)
class ObjectContents:
    """The part of an object that rows are made of; not frozen, as a batch makes very many."""

    object_id: str
    bucket_id: str
    blobs: list[dict[str, Any]]
    fields: dict[str, Any]


@dataclass(frozen=True)
class Asset:
    """Content in the object store: its key, its sha256, and what it is."""

    key: str
    sha256: str
    size_bytes: int
    mime_type: str
    filename: str
    properties: dict[str, Any]

    def row(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Draft:
    """An object whose content is stored, not yet checked as a whole: blobs without ids, fields without defaults.

    `given` names the keys that the request had, which is what a change changes.
    """

    key_prefix: str | None
    fields: dict[str, Any]
    blobs: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    given: frozenset[str] = frozenset()


@dataclass(frozen=True)
class NewObject:
    """An object that fits its bucket, ready to be written; its blobs get their ids when it gets its own."""

    key_prefix: str | None
    fields: dict[str, Any]
    blobs: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    unique_hash: str | None
    content_hash: str

    @property
    def size_bytes(self) -> int:
        return sum(blob["details"]["size_bytes"] for blob in self.blobs)


@dataclass(frozen=True)
class BucketUpload:
    """One file on its way into a bucket; `asset` is what it became when it was confirmed."""

    upload_id: str
    namespace_id: str
    bucket_id: str
    filename: str
    content_type: str
    file_size_bytes: int | None
    file_hash: str | None
    create_object_on_confirm: bool
    object_metadata: dict[str, Any]
    blob_property: str | None
    blob_type: str | None
    skip_duplicates: bool
    object_key: str
    status: str
    asset: dict[str, Any] | None
    object_id: str | None
    duplicate_of_upload_id: str | None
    created_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None

    def wire(self) -> dict[str, Any]:
        asset = self.asset or {}
        return {
            "upload_id": self.upload_id,
            "bucket_id": self.bucket_id,
            "filename": self.filename,
            "content_type": asset.get("mime_type", self.content_type),
            "file_size_bytes": asset.get("size_bytes", self.file_size_bytes),
            "file_hash": asset.get("sha256", self.file_hash),
            "s3_key": asset.get("key", self.object_key),
            "create_object_on_confirm": self.create_object_on_confirm,
            "object_metadata": self.object_metadata,
            "blob_property": self.blob_property,
            "blob_type": self.blob_type,
            "skip_duplicates": self.skip_duplicates,
            "status": self.status,
            "object_id": self.object_id,
            "is_duplicate": self.duplicate_of_upload_id is not None,
            "duplicate_of_upload_id": self.duplicate_of_upload_id,
            "presigned_url_expiration": round((self.expires_at - self.created_at).total_seconds()),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "confirmed_at": self.confirmed_at,
        }
