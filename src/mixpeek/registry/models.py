"""Uploads and published versions as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from mixpeek.contract.features import FeatureUri
from mixpeek.contract.manifest import Manifest


@dataclass(frozen=True)
class Upload:
    upload_id: str
    namespace_id: str
    name: str
    version: str
    version_given: bool
    description: str | None
    file_size_bytes: int | None
    object_key: str
    state: str
    result: dict[str, Any] | None
    expires_at: datetime


@dataclass(frozen=True)
class PluginVersion:
    """One immutable published version; `code_hash` identifies its files whatever archive held them.

    `package` is the name hosts import it under, the one it was validated with; `lock` are the packages it runs with,
    None until its environment is first built.
    """

    namespace_id: str
    plugin_id: str
    name: str
    version: str
    description: str
    code_hash: str
    package: str
    archive_sha256: str
    archive_key: str
    size_bytes: int
    files: list[dict[str, Any]]
    manifest: dict[str, Any]
    realtime_style: str | None
    findings: list[dict[str, Any]]
    message: str | None
    author: str | None
    created_at: datetime
    host_uid: int
    active: bool
    lock: dict[str, Any] | None

    @cached_property
    def parsed_manifest(self) -> Manifest:
        return Manifest.model_validate(self.manifest)

    @property
    def feature_uri(self) -> str:
        """The URI of the first embedding; of the plugin itself when it declares none."""
        embeddings = self.parsed_manifest.embeddings
        return str(FeatureUri(self.name, self.version, embeddings[0].feature_name if embeddings else None))


@dataclass(frozen=True)
class VersionSummary:
    """A version as lists show it: without its manifest and files."""

    plugin_id: str
    name: str
    version: str
    description: str
    code_hash: str
    size_bytes: int
    message: str | None
    author: str | None
    created_at: datetime
    active: bool
    deployed: bool
    first_feature: str | None

    @property
    def feature_uri(self) -> str:
        return str(FeatureUri(self.name, self.version, self.first_feature))

    def wire(self) -> dict[str, Any]:
        return {
            "plugin_id": self.plugin_id,
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "deployed": self.deployed,
            "active": self.active,
            "validation_status": "passed",
            "feature_uri": self.feature_uri,
            "code_hash": self.code_hash,
            "size_bytes": self.size_bytes,
            "created_at": self.created_at,
            "updated_at": self.created_at,
        }
