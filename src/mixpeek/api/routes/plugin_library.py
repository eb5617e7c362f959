"""Plugins an organization shares: publishing them, enabling them in a namespace, and reconfiguring a namespace."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from mixpeek.api.access import Admin, PathNamespace, PlatformDep, Reader, Writer
from mixpeek.api.answers import answers
from mixpeek.api.platform import Platform
from mixpeek.api.responses import json_response
from mixpeek.api.routes.plugins import UPLOAD_FORM, Confirm, RequestUpload, open_upload, publish_form, remove_version
from mixpeek.api.schemas.organization_plugins import (
    AvailablePlugins,
    NamespaceReconfigured,
    OrganizationPluginAnswer,
    OrganizationPlugins,
    PluginDisabled,
    PluginEnabled,
)
from mixpeek.api.schemas.plugins import PluginDeleted, PluginPublished, UploadOpened
from mixpeek.collections.queries import list_dependents, list_outdated
from mixpeek.db.pool import Connection
from mixpeek.deployments import service as deployments
from mixpeek.errors import InvalidRequest
from mixpeek.registry import library, queries
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.reconfigure import reconfigure
from mixpeek.tenancy.models import Namespace, Principal
from mixpeek.tenancy.queries import count_contents
from mixpeek.wire import WireModel

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/plugins", tags=["organization plugins"])
organization_router = APIRouter(prefix="/v1/plugins", tags=["organization plugins"])


class Enable(WireModel):
    params: dict[str, Any] | None = None
    deploy: bool = Field(
        True,
        description="Deploy it for the whole organization where no version of this plugin is live. Where another is,"
        " that stays; only an administrator's key that sends `true` replaces it, for every namespace",
    )


class Reconfigure(WireModel):
    confirm: bool = False
    dry_run: bool = Field(False, description="Only say what would be added")


@router.get("/available", **answers(AvailablePlugins, operation_id="list_available_plugins"))
def list_available(platform: PlatformDep, namespace: PathNamespace) -> dict[str, Any]:
    """List the organization's plugins, each with whether this namespace has it enabled."""
    with platform.database.transaction() as connection:
        return library.list_available(connection, namespace)


@router.post("/org/{plugin_id}/enable", **answers(PluginEnabled, checked=True))
def enable_plugin(
    platform: PlatformDep, namespace: PathNamespace, caller: Writer, plugin_id: str, body: Enable | None = None
) -> dict[str, Any]:
    """Let this namespace use one of its organization's plugins; what is live for the others stays live."""
    wanted = body or Enable(params=None)
    # As for other changes to what the organization shares; by default, an administrator replaces nothing either.
    replace = "deploy" in wanted.model_fields_set and caller.may("admin") and caller.namespaces is None
    with platform.database.transaction() as connection:
        version = library.enable(connection, namespace, plugin_id, wanted.params or {}, caller.name)
        deployment_status, kept = "skipped", None
        if wanted.deploy:
            deployment_status, kept = _deploy_shared(connection, namespace, version, caller.name, replace=replace)
    usable = f"{version.name} {version.version} can be used in this namespace"
    return {
        "success": True,
        "plugin_id": plugin_id,
        "namespace_id": namespace.namespace_id,
        "feature_uri": version.feature_uri,
        "message": usable if kept is None else f"{usable}; {kept}",
        "deployment_status": deployment_status,
    }


def _deploy_shared(
    connection: Connection, namespace: Namespace, version: PluginVersion, actor: str, *, replace: bool
) -> tuple[str, str | None]:
    """Deploy a shared version as far as that may be; return how it stands, and what is kept instead, if anything."""
    if deployments.status(connection, version)["deployed"]:
        return "deployed", None
    if replace:
        deployments.deploy(connection, namespace, version, batch_only=False, message="enabled", actor=actor)
        return "pending", None
    other = deployments.deploy_first(connection, namespace, version, actor=actor)
    if other is None or other == version.plugin_id:
        return "pending", None
    return "skipped", (
        f"it was not deployed, since {other} answers the organization's namespaces, or is about to; to replace that for"
        " all of them, an administrator sends `deploy: true`"
    )


@router.post("/org/{plugin_id}/disable", **answers(PluginDisabled, 409, checked=True))
def disable_plugin(
    platform: PlatformDep,
    namespace: PathNamespace,
    caller: Writer,
    plugin_id: str,
    force: Annotated[bool, Query()] = False,
) -> dict[str, Any]:
    """Take a shared plugin from this namespace; refused while its collections use it, unless forced."""
    with platform.database.transaction() as connection:
        shared = library.library_of(connection, namespace.organization_id)
        dependents = list_dependents(connection, shared.namespace_id, plugin_id, namespace.namespace_id)
        library.disable(connection, namespace, plugin_id, dependents, force=force)
    return {
        "success": True,
        "plugin_id": plugin_id,
        "namespace_id": namespace.namespace_id,
        "message": "Disabled; collections made with it keep their documents",
    }


@router.post("/reconfigure", **answers(NamespaceReconfigured, checked=True))
def reconfigure_namespace(
    platform: PlatformDep,
    namespace: PathNamespace,
    caller: Writer,
    body: Reconfigure | None = None,
    dry_run: Annotated[bool, Query(description="Only say what would be added")] = False,
) -> dict[str, Any]:
    """Add the features of new plugins to what this namespace can index. Nothing is ever dropped."""
    wanted = body or Reconfigure()
    only_plan = dry_run or wanted.dry_run
    if not (only_plan or wanted.confirm):
        raise InvalidRequest("`confirm` must be true", hint='Send {"confirm": true}, or {"dry_run": true} for the plan')
    with platform.database.transaction() as connection:
        points = count_contents(connection, namespace.namespace_id)["document_count"]
        outdated = list_outdated(connection, namespace.namespace_id)
        return reconfigure(connection, namespace, outdated, points, dry_run=only_plan)


@organization_router.post(
    "/uploads", **answers(UploadOpened, 409, checked=True, operation_id="request_organization_upload")
)
def request_upload(request: Request, platform: PlatformDep, caller: Admin, body: RequestUpload) -> dict[str, Any]:
    """Open an upload of a plugin that the organization's namespaces can enable."""
    return open_upload(request, platform, _library(platform, caller), body)


@organization_router.post(
    "/uploads/{upload_id}/confirm", **answers(PluginPublished, 409, operation_id="confirm_organization_upload")
)
def confirm_upload(platform: PlatformDep, caller: Admin, upload_id: str, body: Confirm | None = None) -> dict[str, Any]:
    """Scan and validate what was uploaded, and publish it for the organization."""
    wanted = body or Confirm(message=None, etag=None, file_size_bytes=None)
    return platform.registry.confirm(
        _library(platform, caller),
        upload_id,
        message=wanted.message,
        etag=wanted.etag,
        size_bytes=wanted.file_size_bytes,
        actor=caller.name,
    )


@organization_router.post(
    "", openapi_extra=UPLOAD_FORM, **answers(PluginPublished, 409, operation_id="upload_organization_plugin")
)
async def upload_directly(request: Request, platform: PlatformDep, caller: Admin) -> dict[str, Any]:
    """Publish an organization plugin sent as multipart form."""
    return await publish_form(request, platform, _library(platform, caller), caller)


@organization_router.get("", **answers(OrganizationPlugins, operation_id="list_organization_plugins"))
def list_plugins(platform: PlatformDep, caller: Reader) -> Response:
    """List the organization's plugins."""
    with platform.database.transaction() as connection:
        shared = library.library_of(connection, caller.organization_id)
        plugins = [summary.wire() for summary in queries.list_summaries(connection, shared.namespace_id)]
    body = {"success": True, "plugins": plugins, "total": len(plugins), "organization_id": caller.organization_id}
    return json_response(body)


@organization_router.get("/{plugin_id}", **answers(OrganizationPluginAnswer, operation_id="get_organization_plugin"))
def get_plugin(platform: PlatformDep, caller: Reader, plugin_id: str) -> dict[str, Any]:
    """Return one of the organization's plugins."""
    with platform.database.transaction() as connection:
        shared = library.library_of(connection, caller.organization_id)
        version = platform.registry.get(connection, shared.namespace_id, plugin_id)
        state = deployments.status(connection, version)
    plugin = {
        "plugin_id": version.plugin_id,
        "name": version.name,
        "version": version.version,
        "description": version.description,
        "organization_id": caller.organization_id,
        "feature_uri": version.feature_uri,
        "s3_archive_url": version.archive_key,
        "code_hash": version.code_hash,
        "validation_status": "passed",
        "deployed": state["deployed"],
        "deployment_info": state,
        "manifest": version.manifest,
        "files": version.files,
        "created_at": version.created_at,
    }
    return {"success": True, "plugin": plugin}


@organization_router.delete(
    "/{plugin_id}", **answers(PluginDeleted, 409, checked=True, operation_id="delete_organization_plugin")
)
def delete_plugin(
    platform: PlatformDep, caller: Admin, plugin_id: str, force: Annotated[bool, Query()] = False
) -> dict[str, Any]:
    """Delete one of the organization's plugins; refused while collections depend on it, unless forced."""
    with platform.database.transaction() as connection:
        shared = library.library_of(connection, caller.organization_id)
        version = platform.registry.get(connection, shared.namespace_id, plugin_id)
        removed = remove_version(connection, version, actor=caller.name, force=force)
    return {"success": True, "plugin_id": plugin_id, "message": "Deleted", "deployment_removed": removed}


def _library(platform: Platform, caller: Principal) -> Namespace:
    with platform.database.transaction() as connection:
        return library.library_of(connection, caller.organization_id)
