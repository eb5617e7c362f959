"""The plugins surface: upload, confirm, deploy, inspect."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field, field_validator

from mixpeek.api.access import PathNamespace, PlatformDep, Writer
from mixpeek.contract.versions import NAME_PATTERN, normalise_version
from mixpeek.deployments import queries as deployment_queries
from mixpeek.deployments import service as deployments
from mixpeek.deployments.rollout import describe_failure
from mixpeek.errors import MixpeekError
from mixpeek.objects.signing import Grant
from mixpeek.registry import queries
from mixpeek.wire import WireModel

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/plugins", tags=["plugins"])


class RequestUpload(WireModel):
    name: str
    version: str | None = None
    file_size_bytes: int | None = Field(None, ge=0, le=500 * 1024 * 1024)
    description: str | None = None
    presigned_url_expiration: int = Field(3600, ge=60, le=86400)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not NAME_PATTERN.match(value):
            raise ValueError("a name is a letter, then 2 to 63 letters, digits or underscores")
        return value

    @field_validator("version")
    @classmethod
    def _version(cls, value: str | None) -> str | None:
        return None if value is None else normalise_version(value)


class Confirm(WireModel):
    message: str | None = Field(None, max_length=2000)
    etag: str | None = None
    file_size_bytes: int | None = None


class Deploy(WireModel):
    message: str | None = Field(None, max_length=2000)


class RealtimeTest(WireModel):
    inputs: dict[str, Any] = Field(default_factory=dict)
    parameters: dict[str, Any] = Field(default_factory=dict)


@router.post("/uploads")
def request_upload(
    request: Request, platform: PlatformDep, namespace: PathNamespace, caller: Writer, body: RequestUpload
) -> dict[str, Any]:
    """Open an upload and return where to PUT the archive."""
    fields = {**body.model_dump(), "expiration_s": body.presigned_url_expiration}
    upload = platform.registry.request_upload(namespace, fields)
    base = platform.settings.public_url or str(request.base_url).rstrip("/")
    expires_at = int(time.time()) + body.presigned_url_expiration
    grant = Grant("PUT", upload.object_key, expires_at, platform.settings.max_archive_bytes)
    return {
        "success": True,
        "upload_id": upload.upload_id,
        "presigned_url": f"{base}/v1/blobs/{platform.signer.sign(grant)}",
        "version": upload.version,
        "name": upload.name,
        "namespace_id": upload.namespace_id,
        "s3_key": upload.object_key,
        "expires_at": upload.expires_at,
    }


@router.post("/uploads/{upload_id}/confirm")
def confirm_upload(
    platform: PlatformDep, namespace: PathNamespace, caller: Writer, upload_id: str, body: Confirm | None = None
) -> dict[str, Any]:
    """Scan and validate what was uploaded, and publish it."""
    wanted = body or Confirm(message=None, etag=None, file_size_bytes=None)
    return platform.registry.confirm(
        namespace,
        upload_id,
        message=wanted.message,
        etag=wanted.etag,
        size_bytes=wanted.file_size_bytes,
        actor=caller.name,
    )


@router.get("")
def list_plugins(platform: PlatformDep, namespace: PathNamespace) -> dict[str, Any]:
    """List every version of every plugin, by name, newest first."""
    with platform.database.transaction() as connection:
        versions = queries.list_versions(connection, namespace.namespace_id)
        live = deployment_queries.list_live_plugin_ids(connection, namespace.namespace_id)
    plugins = [version.wire_summary(deployed=version.plugin_id in live) for version in versions]
    return {"success": True, "plugins": plugins, "total": len(plugins), "namespace_id": namespace.namespace_id}


@router.get("/{plugin_id}")
def get_plugin(platform: PlatformDep, namespace: PathNamespace, plugin_id: str) -> dict[str, Any]:
    """Return a version's manifest, files, validation and deployment."""
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
        state = deployments.status(connection, version)
    vector_indexes = [feature.model_dump() for feature in version.parsed_manifest.embeddings]
    plugin = {
        **version.wire_summary(deployed=state["deployed"]),
        "namespace_id": version.namespace_id,
        "organization_id": namespace.organization_id,
        "s3_archive_url": None,
        "validation_errors": [],
        "warnings": version.findings,
        "security_scan_passed": True,
        "deployment_info": state,
        "manifest": {
            **version.manifest,
            "required_vector_indexes": vector_indexes,
            "feature_uri": version.feature_uri,
        },
        "files": version.files,
        "size_bytes": version.size_bytes,
        "message": version.message,
        "author": version.author,
        "deployed_at": state["deployed_at"],
        "resolved_inference_name": version.plugin_id,
    }
    return {"success": True, "plugin": plugin, "presigned_download_url": None}


@router.post("/{plugin_id}/deploy")
def deploy_plugin(
    platform: PlatformDep,
    namespace: PathNamespace,
    caller: Writer,
    plugin_id: str,
    deployment_type: Annotated[Literal["realtime", "batch_only"], Query()] = "realtime",
    body: Deploy | None = None,
) -> dict[str, Any]:
    """Deploy or redeploy a version; `batch_only` leaves the realtime endpoint out."""
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
        return deployments.deploy(
            connection,
            namespace,
            version,
            batch_only=deployment_type == "batch_only",
            message=body.message if body else None,
            actor=caller.name,
        )


@router.post("/{plugin_id}/undeploy")
def undeploy_plugin(platform: PlatformDep, namespace: PathNamespace, caller: Writer, plugin_id: str) -> dict[str, Any]:
    """Tear down the deployment; the version stays."""
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
        return {"success": True, **deployments.undeploy(connection, namespace, version, actor=caller.name)}


@router.get("/{plugin_id}/status")
def get_status(platform: PlatformDep, namespace: PathNamespace, plugin_id: str) -> dict[str, Any]:
    """Return how the deployment stands."""
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
        return deployments.status(connection, version)


@router.post("/{plugin_id}/realtime/test")
def test_realtime(
    platform: PlatformDep, namespace: PathNamespace, caller: Writer, plugin_id: str, body: RealtimeTest
) -> dict[str, Any]:
    """Ask the plugin once and return its raw answer; whatever the plugin does, this answers 200."""
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
    answer: dict[str, Any] = {
        "inference_name": version.plugin_id,
        "version": version.version,
        "code_hash": version.code_hash,
    }
    try:
        reply = platform.predict(version, body.inputs, body.parameters)
    except MixpeekError as error:
        return {
            **answer,
            "status": "error",
            "raw_response": None,
            "response_type": None,
            "response_keys": [],
            "error": describe_failure(error),
            "message": error.hint,
        }
    return {
        **answer,
        "status": "success",
        "raw_response": reply,
        "response_type": type(reply).__name__,
        "response_keys": sorted(reply) if isinstance(reply, dict) else [],
        "error": None,
        "message": None,
    }
