"""Answers about plugins that an organization shares with its namespaces."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer
from mixpeek.api.schemas.plugins import DeploymentState, PluginFile, PluginManifest, PluginSummary


class AvailablePlugin(PluginSummary):
    """A shared plugin, as one namespace sees it."""

    enabled_in_namespace: bool


class AvailablePlugins(Answer):
    """The organization's plugins."""

    success: Literal[True]
    plugins: list[AvailablePlugin]
    total: int
    organization_id: str
    namespace_id: str


class PluginEnabled(Answer):
    """A namespace can use a shared plugin."""

    success: Literal[True]
    plugin_id: str
    namespace_id: str
    feature_uri: str
    message: str
    deployment_status: Literal["deployed", "pending", "skipped"]


class PluginDisabled(Answer):
    """A namespace can no longer use a shared plugin."""

    success: Literal[True]
    plugin_id: str
    namespace_id: str
    message: str


class OutdatedCollection(Answer):
    """A collection whose documents were made by another version than the active one."""

    collection_id: str
    collection_name: str
    made_by: str
    active: str


class NamespaceReconfigured(Answer):
    """What a namespace can index, and what was or would be added."""

    success: Literal[True]
    namespace_id: str
    status: Literal["planned", "reconfigured", "no_changes_needed"]
    dry_run: bool
    previous_points_count: int = Field(description="Documents of the namespace; none is touched.")
    vectors_added: list[str]
    vectors_total: list[str]
    collections_to_reprocess: list[str]
    collections: list[OutdatedCollection]
    message: str


class OrganizationPlugins(Answer):
    """Every version of the organization's plugins."""

    success: Literal[True]
    plugins: list[PluginSummary]
    total: int
    organization_id: str


class OrganizationPlugin(Answer):
    """A version that the organization shares."""

    plugin_id: str
    name: str
    version: str
    description: str
    organization_id: str
    feature_uri: str
    s3_archive_url: str = Field(description="Key of the archive in the object store.")
    code_hash: str
    validation_status: Literal["passed"]
    deployed: bool
    deployment_info: DeploymentState
    manifest: PluginManifest
    files: list[PluginFile]
    created_at: datetime


class OrganizationPluginAnswer(Answer):
    """One version that the organization shares."""

    success: Literal[True]
    plugin: OrganizationPlugin
