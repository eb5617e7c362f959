"""Answers about plugins: uploads, versions and their deployments."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, OpenAnswer
from mixpeek.deployments.models import Phase, Status


class PluginFinding(Answer):
    """One rule's report on a plugin; line and column count from 1."""

    rule: str
    severity: Literal["error", "warning"]
    path: str = Field(description='Relative to the plugin\'s folder; "" for the plugin as a whole.')
    file: str = Field(description="The same as `path`.")
    line: int | None
    column: int | None
    message: str
    hint: str


class UploadOpened(Answer):
    """Where to PUT the archive."""

    success: Literal[True]
    upload_id: str
    presigned_url: str = Field(description="PUT the archive here, without a key, until `expires_at`.")
    version: str = Field(description="The version asked for, or the next free one.")
    name: str
    namespace_id: str
    organization_id: str
    s3_key: str
    expires_at: datetime


class PluginPublished(Answer):
    """A version is published; it never changes again."""

    success: Literal[True]
    plugin_id: str
    upload_id: str
    version: str
    validation_status: Literal["passed"]
    validation_errors: list[PluginFinding] = Field(description="Empty: a plugin with errors is refused.")
    warnings: list[PluginFinding]
    deployment_status: Literal["not_deployed"]
    feature_uri: str
    s3_archive_url: str = Field(description="Key of the archive in the object store.")
    code_hash: str = Field(description="Identifies the files, whatever archive held them.")
    message: str


class PluginSummary(Answer):
    """A version as lists show it."""

    plugin_id: str
    name: str
    version: str
    description: str
    deployed: bool
    active: bool = Field(description="Whether collections that name no version get this one.")
    validation_status: Literal["passed"]
    feature_uri: str
    code_hash: str
    size_bytes: int
    created_at: datetime
    updated_at: datetime


class PluginList(Answer):
    """Every version of a namespace's plugins, by name, newest first."""

    success: Literal[True]
    plugins: list[PluginSummary]
    total: int
    namespace_id: str


class PluginFile(Answer):
    """One file of a version."""

    path: str
    size_bytes: int
    sha256: str


class DeclaredFeature(Answer):
    """A feature as its manifest declares it."""

    feature_type: str
    feature_name: str
    embedding_dim: int | None
    distance_metric: Literal["cosine", "euclid", "dot"]
    description: str


class PluginManifest(OpenAnswer):
    """What the plugin declares about itself, with further fields of its manifest."""

    feature_extractor_name: str
    version: str
    description: str
    category: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    parameter_schema: dict[str, Any]
    supported_input_types: list[str]
    features: list[DeclaredFeature]
    dependencies: list[str]
    compute_profile: dict[str, Any]


class LockedPackage(Answer):
    """A package of exactly one version."""

    name: str
    version: str
    sha256: list[str] = Field(description="Of its wheels; none if the platform brings it.")
    provided: bool = Field(description="Whether it is the platform's own.")


class PluginLock(Answer):
    """The packages a version runs with, whatever is released later."""

    python: str
    packages: list[LockedPackage]


class TimelineEntry(Answer):
    """One phase of a rollout."""

    phase: Phase
    status: Status
    at: datetime
    started_at: datetime = Field(description="The same as `at`.")
    duration_s: float | None = Field(description="Null for the last one, which goes on or is how the rollout ended.")
    detail: str | None = Field(None, description="How it went, where there is more to say than that it did.")


class FailureFrame(Answer):
    """A line of the plugin's own code that was being carried out."""

    file: str = Field(description="Relative to the plugin's folder.")
    line: int
    function: str
    code: str | None = Field(description="The line itself, where it can be read.")


class DeploymentFailure(Answer):
    """Why a rollout failed."""

    phase: Phase
    code: str
    message: str
    hint: str | None
    frames: list[FailureFrame] = Field(description="The plugin's own, the innermost last; none if it did not raise.")
    logs_url: str = Field(description="GET what its hosts printed.")


class Serving(Answer):
    """The replicas of one version in the process that answers."""

    replicas: int = Field(description="Hosts that answer now.")
    replicas_wanted: int
    requests_waiting: int
    requests_under_way: int
    restarts: int = Field(description="Hosts that ended by themselves and were replaced.")
    last_error: str | None = Field(description="Why the last one ended, or could not be started.")
    next_start_in_s: float = Field(description="While none answers: when the next one is started.")


class DeploymentState(Answer):
    """How a version is deployed."""

    plugin_id: str
    namespace_id: str
    status: Status
    name: str
    version: str
    realtime_enabled: bool
    realtime_source: str | None = Field(description="What answers realtime requests: a handler's style, or `pipeline`.")
    message: str
    queued_at: datetime | None
    estimated_completion_seconds: int | None
    deployed: bool
    route_prefix: str | None
    feature_uri: str
    features: list[str] = Field(description="URIs of the embeddings.")
    deployed_at: datetime | None
    error: str | None = Field(description="Why the last rollout failed, as text; `failure` has it in parts.")
    failure: DeploymentFailure | None
    phase: Phase | None
    warnings: list[str]
    timeline: list[TimelineEntry]
    code_hash: str
    serving: Serving | None = Field(None, description="The replicas that answer; null while it has none.")


class PluginDetail(Answer):
    """A version with its manifest, files and deployment."""

    plugin_id: str
    name: str
    version: str
    description: str
    deployed: bool
    active: bool
    validation_status: Literal["passed"]
    feature_uri: str
    code_hash: str
    created_at: datetime
    updated_at: datetime
    namespace_id: str
    organization_id: str
    s3_archive_url: str = Field(description="Key of the archive in the object store.")
    validation_errors: list[PluginFinding]
    warnings: list[PluginFinding]
    security_scan_passed: bool
    deployment_info: DeploymentState
    manifest: PluginManifest
    lock: PluginLock | None = Field(description="What `dependencies` came to; null until they are first installed.")
    files: list[PluginFile]
    size_bytes: int
    message: str | None
    author: str | None
    deployed_at: datetime | None
    resolved_inference_name: str


class PluginAnswer(Answer):
    """One version."""

    success: Literal[True]
    plugin: PluginDetail
    presigned_download_url: str | None = Field(description="Only with `return_presigned_urls`.")


class PluginDeleted(Answer):
    """A version is gone."""

    success: Literal[True]
    plugin_id: str
    message: str
    deployment_removed: bool


class DeploymentQueued(Answer):
    """A rollout is queued, or was already; a deployment for batches only is done, and so is a changed share."""

    success: Literal[True]
    plugin_id: str
    deployment_id: str
    status: Literal["queued", "batch_only", "changed"]
    deployment_type: Literal["realtime", "batch_only"]
    deployment_status: Status
    route_prefix: str
    task_id: str | None
    message: str


class PluginUndeployed(DeploymentState):
    """How a version stands, now that it is not deployed."""

    success: Literal[True]
    was_deployed: bool


class RealtimeAnswer(Answer):
    """What a plugin answered, or how it failed."""

    inference_name: str
    version: str
    code_hash: str
    status: Literal["success", "error"]
    raw_response: Any = Field(description="As the plugin returned it; null if it failed.")
    response_type: str | None
    response_keys: list[str]
    error: str | None = Field(description="The plugin's error with its own frames.")
    message: str | None
