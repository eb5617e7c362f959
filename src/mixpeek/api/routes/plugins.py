"""The plugins surface: upload, confirm, deploy, inspect."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError, field_validator
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from mixpeek.api.access import Deleter, PathNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.forms import form_body
from mixpeek.api.platform import Platform
from mixpeek.api.responses import json_response
from mixpeek.api.schemas.plugins import (
    DeploymentQueued,
    DeploymentState,
    PluginAnswer,
    PluginDeleted,
    PluginList,
    PluginPublished,
    PluginUndeployed,
    RealtimeAnswer,
    UploadOpened,
)
from mixpeek.collections.queries import list_dependents
from mixpeek.contract.versions import NAME_PATTERN, normalise_version
from mixpeek.db.pool import Connection
from mixpeek.deployments import service as deployments
from mixpeek.deployments.failure import describe_failure
from mixpeek.deployments.traffic import split_from
from mixpeek.errors import Conflict, InvalidRequest, MixpeekError, PluginReplyInvalid
from mixpeek.execution.needs import with_needs
from mixpeek.execution.port import HostSpec
from mixpeek.objects.errors import ObjectTooLarge
from mixpeek.objects.signing import Grant
from mixpeek.objects.store import COPY_BYTES
from mixpeek.plugin_logs.queries import delete_lines
from mixpeek.registry import queries
from mixpeek.registry.models import PluginVersion
from mixpeek.serving.replica import Answer
from mixpeek.tenancy.models import Namespace, Principal
from mixpeek.wire import WireModel

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/plugins", tags=["plugins"])


class RequestUpload(WireModel):
    # Said in the schema, checked by `_name`, which says it in words.
    name: str = Field(json_schema_extra={"pattern": NAME_PATTERN.pattern})
    version: str | None = Field(None, description="Such as 1.2.3; default: the next free patch.")
    file_size_bytes: int | None = Field(None, ge=0, le=500 * 1024 * 1024)
    description: str | None = None
    presigned_url_expiration: int = Field(3600, ge=60, le=86400)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not NAME_PATTERN.fullmatch(value):
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


TRAFFIC = "Percent of the requests that follow the plugin's name: 1 to 99 for a canary; default all of them."
SHADOW = "Mirror live requests to the version and compare its answers; goes with `traffic=0`, or none."

# The form is read by `publish_form`, which knows its errors better than FastAPI.
UPLOAD_FORM = form_body(
    ["file", "name"],
    {
        "file": {"type": "string", "format": "binary", "description": "The archive, .zip or .tar.gz."},
        "name": {"type": "string", "pattern": NAME_PATTERN.pattern},
        "version": {"type": "string", "description": "Default: the next free patch."},
        "description": {"type": "string"},
        "message": {"type": "string", "description": "What the version is for."},
    },
)


@router.post("/uploads", **answers(UploadOpened, 409, checked=True))
def request_upload(
    request: Request, platform: PlatformDep, namespace: PathNamespace, caller: Writer, body: RequestUpload
) -> dict[str, Any]:
    """Open an upload and return where to PUT the archive."""
    return open_upload(request, platform, namespace, body)


def open_upload(request: Request, platform: Platform, namespace: Namespace, body: RequestUpload) -> dict[str, Any]:
    """Open an upload into `namespace` and sign the URL it is PUT to."""
    limit = platform.settings.max_archive_bytes
    if body.file_size_bytes is not None and body.file_size_bytes > limit:
        raise ObjectTooLarge(
            f"Archives may have {limit} bytes, not {body.file_size_bytes}", hint="Send a smaller archive"
        )
    fields = {**body.model_dump(), "expiration_s": body.presigned_url_expiration}
    upload = platform.registry.request_upload(namespace, fields)
    return {
        "success": True,
        "upload_id": upload.upload_id,
        "presigned_url": signed_url(request, platform, "PUT", upload.object_key, body.presigned_url_expiration, limit),
        "version": upload.version,
        "name": upload.name,
        "namespace_id": upload.namespace_id,
        "organization_id": namespace.organization_id,
        "s3_key": upload.object_key,
        "expires_at": upload.expires_at,
    }


def signed_url(
    request: Request, platform: Platform, method: Literal["PUT", "GET"], key: str, lasts_s: int, limit_bytes: int
) -> str:
    """Return an absolute URL that allows one method on one stored object, without a key, for a while.

    The store signs it where it can: content then does not pass through this server, and `limit_bytes` holds at confirm.
    """
    if platform.settings.objects_presign == "store":
        url = platform.objects.presign(method, key, lasts_s)
        if url is not None:
            return url
    base = platform.settings.public_url or str(request.base_url).rstrip("/")
    token = platform.signer.sign(Grant(method, key, int(time.time()) + lasts_s, limit_bytes))
    return f"{base.rstrip('/').removesuffix('/v1')}/v1/blobs/{token}"


@router.post("/uploads/{upload_id}/confirm", **answers(PluginPublished, 409))
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


@router.post("", openapi_extra=UPLOAD_FORM, **answers(PluginPublished, 409, operation_id="upload_plugin"))
async def upload_directly(
    request: Request, platform: PlatformDep, namespace: PathNamespace, caller: Writer
) -> dict[str, Any]:
    """Publish a plugin sent as multipart form: `file`, `name`, `version`, `description`."""
    return await publish_form(request, platform, namespace, caller)


async def publish_form(request: Request, platform: Platform, namespace: Namespace, caller: Principal) -> dict[str, Any]:
    """Read a multipart upload and take it through the same confirm as a presigned one."""
    async with request.form(max_files=1, max_fields=10) as form:
        unknown = sorted(set(form) - {"file", "name", "version", "description", "message"})
        if unknown:
            raise InvalidRequest(f"Unknown form field {unknown[0]!r}", hint="Send file, name, version, description")
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidRequest("The form has no file", hint="Send the archive as the field `file`")
        texts = {name: str(value) for name, value in form.items() if name != "file"}
        try:
            wanted = RequestUpload.model_validate({k: v for k, v in texts.items() if k != "message"})
        except ValidationError as error:
            lines = error.errors(include_url=False)
            raise RequestValidationError([{**line, "loc": ("body", *line["loc"])} for line in lines]) from error
        fields = {**wanted.model_dump(), "file_size_bytes": file.size, "expiration_s": 3600}

        def publish() -> dict[str, Any]:
            upload = platform.registry.request_upload(namespace, fields)
            content = iter(partial(file.file.read, COPY_BYTES), b"")
            platform.objects.put(upload.object_key, content, limit_bytes=platform.settings.max_archive_bytes)
            return platform.registry.confirm(
                namespace, upload.upload_id, message=texts.get("message"), etag=None, size_bytes=None, actor=caller.name
            )

        return await asyncio.to_thread(publish)


@router.get("", **answers(PluginList))
def list_plugins(
    platform: PlatformDep,
    namespace: PathNamespace,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> Response:
    """List every version of every plugin, by name, newest first."""
    with platform.database.transaction() as connection:
        versions = queries.list_summaries(connection, namespace.namespace_id, limit=limit, offset=offset)
        total = queries.count_versions(connection, namespace.namespace_id)
    plugins = [version.wire() for version in versions]
    return json_response({"success": True, "plugins": plugins, "total": total, "namespace_id": namespace.namespace_id})


@router.get("/{plugin_id}", **answers(PluginAnswer))
def get_plugin(
    request: Request,
    platform: PlatformDep,
    namespace: PathNamespace,
    plugin_id: str,
    return_presigned_urls: Annotated[bool, Query()] = False,
) -> dict[str, Any]:
    """Return a version's manifest, files, validation and deployment."""
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
        state = deployments.status(connection, version)
    vector_indexes = [feature.model_dump() for feature in version.parsed_manifest.embeddings]
    plugin = {
        "plugin_id": version.plugin_id,
        "name": version.name,
        "version": version.version,
        "description": version.description,
        "deployed": state["deployed"],
        "active": version.active,
        "validation_status": "passed",
        "feature_uri": version.feature_uri,
        "code_hash": version.code_hash,
        "created_at": version.created_at,
        "updated_at": version.created_at,
        "namespace_id": version.namespace_id,
        "organization_id": namespace.organization_id,
        "s3_archive_url": version.archive_key,
        "validation_errors": [],
        "warnings": version.findings,
        "security_scan_passed": True,
        "deployment_info": state,
        "lock": version.lock,
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
    url = signed_url(request, platform, "GET", version.archive_key, 3600, 0) if return_presigned_urls else None
    return {"success": True, "plugin": plugin, "presigned_download_url": url}


@router.delete("/{plugin_id}", **answers(PluginDeleted, 409, checked=True))
def delete_plugin(
    platform: PlatformDep,
    namespace: PathNamespace,
    caller: Deleter,
    plugin_id: str,
    force: Annotated[bool, Query()] = False,
) -> dict[str, Any]:
    """Delete a version; refused while collections depend on it, unless forced."""
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
        removed = remove_version(connection, version, actor=caller.name, force=force)
    return {"success": True, "plugin_id": plugin_id, "message": "Deleted", "deployment_removed": removed}


def remove_version(connection: Connection, version: PluginVersion, *, actor: str, force: bool) -> bool:
    """Delete a version in the caller's transaction; tell whether it was deployed."""
    dependents = list_dependents(connection, version.namespace_id, version.plugin_id)
    if dependents and not force:
        raise Conflict(
            f"{len(dependents)} collections depend on {version.plugin_id}",
            hint="Delete or change them first, or send `force=true`; forced, they keep their documents",
            collections=dependents,
        )
    state = deployments.undeploy(connection, version, actor=actor)
    queries.delete_version(connection, version.namespace_id, version.name, version.plugin_id)
    delete_lines(connection, version.namespace_id, version.plugin_id)
    queries.append_ledger(
        connection, version.namespace_id, version.name, version.plugin_id, "delete", "deleted", actor=actor
    )
    return bool(state["was_deployed"])


@router.post("/{plugin_id}/deploy", **answers(DeploymentQueued, 409, checked=True))
def deploy_plugin(
    platform: PlatformDep,
    namespace: PathNamespace,
    caller: Writer,
    plugin_id: str,
    deployment_type: Annotated[Literal["realtime", "batch_only"], Query()] = "realtime",
    traffic: Annotated[int | None, Query(ge=0, le=100, description=TRAFFIC)] = None,
    shadow: Annotated[bool, Query(description=SHADOW)] = False,
    body: Deploy | None = None,
) -> dict[str, Any]:
    """Deploy or redeploy a version; `batch_only` leaves the realtime endpoint out.

    With `traffic` from 1 to 99 it becomes a canary beside the stable version, with `shadow` a shadow; `promote` makes
    either the stable one, `undeploy` ends it. Without, it takes all requests, and ends a canary or shadow there was.
    """
    batch_only = deployment_type == "batch_only"
    split = split_from(traffic, shadow, batch_only=batch_only)
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
        return deployments.deploy(
            connection,
            namespace,
            version,
            batch_only=batch_only,
            message=body.message if body else None,
            actor=caller.name,
            warnings=platform.registry.execution.grants.foresee(_declared_needs(version)),
            split=split,
        )


def _declared_needs(version: PluginVersion) -> HostSpec:
    """What a host of this version has by its manifest alone; its steps are known only once it is built."""
    profile = version.parsed_manifest.compute_profile
    return with_needs(HostSpec(Path(), version.package), profile.resource_type)


@router.post("/{plugin_id}/undeploy", **answers(PluginUndeployed, 409, checked=True))
def undeploy_plugin(platform: PlatformDep, namespace: PathNamespace, caller: Writer, plugin_id: str) -> dict[str, Any]:
    """Tear down the deployment; the version stays."""
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
        return {"success": True, **deployments.undeploy(connection, version, actor=caller.name)}


@router.get("/{plugin_id}/status", **answers(DeploymentState, checked=True, operation_id="get_plugin_status"))
def get_status(platform: PlatformDep, namespace: PathNamespace, plugin_id: str) -> dict[str, Any]:
    """Return how the deployment stands."""
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
        state = deployments.status(connection, version)
    if state["deployed"]:
        platform.replicas.follow(version.namespace_id, plugin_id)
    return {**state, "serving": platform.replicas.status_of(version.namespace_id, plugin_id)}


@router.post("/{plugin_id}/realtime/test", **answers(RealtimeAnswer, operation_id="test_plugin_realtime"))
async def test_realtime(
    platform: PlatformDep, namespace: PathNamespace, caller: Writer, plugin_id: str, body: RealtimeTest
) -> Response:
    """Ask the plugin once and return its raw answer; whatever the plugin does, this answers 200."""
    version = await run_in_threadpool(_find_version, platform, namespace, plugin_id)
    try:
        # Awaited here: a thread that waited for a plugin which hangs would be missing everywhere else.
        given = await platform.replicas.ask(version, body.inputs, body.parameters, urgent=True)
        return await run_in_threadpool(_realtime_response, version, given)
    except MixpeekError as error:
        return _realtime_response(version, None, error)


def _find_version(platform: Platform, namespace: Namespace, plugin_id: str) -> PluginVersion:
    with platform.database.transaction() as connection:
        return platform.registry.get(connection, namespace.namespace_id, plugin_id)


def _realtime_response(version: PluginVersion, given: Answer | None, error: MixpeekError | None = None) -> Response:
    """Return the answer to a realtime test; raise PluginReplyInvalid for a reply that cannot be passed on."""
    reply = None if given is None else given.decoded()
    answering = version if given is None else given.served
    body = {
        "inference_name": version.plugin_id,
        "version": answering.version,
        "code_hash": answering.code_hash,
        "status": "success" if error is None else "error",
        "raw_response": reply,
        "response_type": type(reply).__name__ if error is None else None,
        "response_keys": sorted(reply) if isinstance(reply, dict) else [],
        "error": describe_failure(error) if error else None,
        "message": error.hint if error else None,
    }
    try:
        return json_response(body)
    except ValueError as unsayable:  # half a character, which JSON can escape and UTF-8 cannot hold
        raise PluginReplyInvalid("The plugin's reply holds text that is not Unicode") from unsayable
