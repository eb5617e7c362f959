"""Namespace models and their uploads as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class ModelUpload:
    upload_id: str
    namespace_id: str
    name: str
    version: str
    model_format: str
    declared: dict[str, Any]
    object_key: str
    state: str
    result: dict[str, Any] | None
    expires_at: datetime


@dataclass(frozen=True)
class NamespaceModel:
    """One immutable model; `declared` is what its uploader said: description, framework, task_type, requirements."""

    namespace_id: str
    model_id: str
    name: str
    version: str
    model_format: str
    declared: dict[str, Any]
    archive_sha256: str
    archive_key: str
    size_bytes: int
    content_hash: str
    deployed_at: datetime | None
    author: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Pin:
    """The hub model that a plugin version was resolved to."""

    name: str
    revision: str
    content_hash: str
