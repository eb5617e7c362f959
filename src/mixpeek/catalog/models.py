"""Buckets and objects as rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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

    def wire(self) -> dict[str, Any]:
        return {
            **self.fields,
            "object_id": self.object_id,
            "bucket_id": self.bucket_id,
            "key_prefix": self.key_prefix,
            "blobs": self.blobs,
            "metadata": self.fields,
            "source_details": [],
            "status": self.status,
            "error": None,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }
