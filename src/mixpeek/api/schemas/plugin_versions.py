"""Answers about a plugin's versions: their history, their files, and what changed between two."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer
from mixpeek.api.schemas.plugins import PluginSummary
from mixpeek.deployments.models import Status


class VersionEvent(Answer):
    """One deploy, rollback or undeploy of a version."""

    action: str = Field(examples=["deploy", "rollback", "undeploy"])
    status: str = Field(examples=["deployed", "batch_only", "activated", "failed", "undeployed"])
    deployed_at: datetime
    actor: str | None
    message: str | None
    error: str | None


class VersionEntry(PluginSummary):
    """A version with what was done to it."""

    message: str | None = Field(description="What the version is for, as its author wrote.")
    author: str | None
    deployment_status: Status
    deployed_at: datetime | None
    deployments: list[VersionEvent] = Field(description="Newest first.")


class VersionHistory(Answer):
    """The versions of a plugin, newest first."""

    success: Literal[True]
    name: str
    active_version: str | None
    versions: list[VersionEntry]
    total: int


class PluginRolledBack(Answer):
    """An earlier version is active again."""

    success: Literal[True]
    name: str
    plugin_id: str
    version: str
    previous_version: str | None = Field(description="The version that was active before.")
    code_hash: str
    running_code_hash: str | None = Field(description="Of the files that answer now; null without realtime.")
    deployment_status: Status
    warnings: list[str]
    message: str


class ChangedFile(Answer):
    """One file that differs."""

    path: str
    status: Literal["added", "removed", "modified"]
    added_lines: int
    removed_lines: int
    diff: str = Field(description='Unified, with three lines of context; "" for a binary file.')
    binary: bool


class DiffSummary(Answer):
    """Counts over all files."""

    added: int
    removed: int
    modified: int
    unchanged: int
    added_lines: int
    removed_lines: int


class ChangedField(Answer):
    """One field of the manifest that differs; nested ones with dots."""

    field: str
    before: Any
    after: Any


class ChangedFeatureField(ChangedField):
    """One field of a feature that differs."""

    feature_name: str


class FeatureChanges(Answer):
    """Features that differ, paired by name."""

    added: list[dict[str, Any]]
    removed: list[dict[str, Any]]
    changed: list[ChangedFeatureField]


class DependencyChanges(Answer):
    """Dependencies that differ."""

    added: list[str]
    removed: list[str]


class SchemaChanges(Answer):
    """Which schemas differ."""

    input: bool
    output: bool
    parameters: bool


class ManifestDiff(Answer):
    """What two manifests declare differently."""

    changed: list[ChangedField]
    features: FeatureChanges
    dependencies: DependencyChanges
    schemas: SchemaChanges


class VersionDiff(Answer):
    """What changed from one version to another."""

    success: Literal[True]
    name: str
    v1: str
    v2: str
    files: list[ChangedFile]
    summary: DiffSummary
    manifest: ManifestDiff


class SourceFile(Answer):
    """One file of a version with its text."""

    path: str
    size_bytes: int
    sha256: str
    text: str | None = Field(description="Null for a file that is not UTF-8 text.")
    encoding: Literal["utf-8"] | None


class PluginSource(Answer):
    """The files of a version."""

    success: Literal[True]
    plugin_id: str
    version: str
    code_hash: str
    files: list[SourceFile]


class PluginDownload(Answer):
    """Where to GET the archive that was uploaded, byte for byte."""

    success: Literal[True]
    plugin_id: str
    presigned_url: str
    expires_at: datetime
    sha256: str
    size_bytes: int
