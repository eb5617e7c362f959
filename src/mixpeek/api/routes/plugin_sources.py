"""The files of a version: as text, as a zip, as the archive that was uploaded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from mixpeek.api.access import PathNamespace, PlatformDep
from mixpeek.api.answers import BINARY, answers
from mixpeek.api.responses import json_response
from mixpeek.api.routes.plugins import signed_url
from mixpeek.api.schemas.plugin_versions import PluginDownload, PluginSource
from mixpeek.registry import sources

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/plugins/{plugin_id}", tags=["plugins"])


@router.get("/source", **answers(PluginSource, operation_id="get_plugin_source", also={"application/zip": BINARY}))
def get_source(
    platform: PlatformDep,
    namespace: PathNamespace,
    plugin_id: str,
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """Return the files of a version as JSON; with `Accept: application/zip`, as an archive."""
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
    if "application/zip" in accept:
        name = f'attachment; filename="{version.plugin_id}.zip"'
        return Response(
            sources.source_zip(platform.registry, version),
            media_type="application/zip",
            headers={"Content-Disposition": name},
        )
    return json_response(
        {
            "success": True,
            "plugin_id": version.plugin_id,
            "version": version.version,
            "code_hash": version.code_hash,
            "files": sources.source(platform.registry, version),
        }
    )


@router.get("/download", **answers(PluginDownload, checked=True, operation_id="get_plugin_download"))
def get_download(
    request: Request,
    platform: PlatformDep,
    namespace: PathNamespace,
    plugin_id: str,
    expiration: Annotated[int, Query(ge=60, le=86400, description="Seconds the URL lasts")] = 3600,
) -> dict[str, Any]:
    """Return a URL that gives the uploaded archive, byte for byte, to whoever has it."""
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
    return {
        "success": True,
        "plugin_id": version.plugin_id,
        "presigned_url": signed_url(request, platform, "GET", version.archive_key, expiration, 0),
        "expires_at": datetime.now(UTC) + timedelta(seconds=expiration),
        "sha256": version.archive_sha256,
        "size_bytes": version.size_bytes,
    }
