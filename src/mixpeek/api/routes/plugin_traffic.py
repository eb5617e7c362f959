"""Two versions of a plugin beside each other: who answers what, what a shadow answers, and how one takes over."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mixpeek.api.access import PathNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.routes.plugins import Deploy
from mixpeek.api.schemas.plugin_traffic import PluginPromoted, PluginTraffic
from mixpeek.deployments import overview, sharing
from mixpeek.deployments import service as deployments

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/plugins/{plugin_id}", tags=["plugin traffic"])


@router.post("/promote", **answers(PluginPromoted, 409, checked=True))
def promote_plugin(
    platform: PlatformDep, namespace: PathNamespace, caller: Writer, plugin_id: str, body: Deploy | None = None
) -> dict[str, Any]:
    """Make a canary or a shadow the only live version; its hosts stay, the other version's finish and end."""
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
        message = body.message if body else None
        superseded = sharing.promote(connection, version, message=message, actor=caller.name)
        return {"success": True, **deployments.status(connection, version), "superseded": superseded}


@router.get("/deployment", **answers(PluginTraffic, checked=True, operation_id="get_plugin_deployment"))
def get_deployment(platform: PlatformDep, namespace: PathNamespace, plugin_id: str) -> dict[str, Any]:
    """Return which versions answer the requests that follow the plugin's name, and how a shadow's answers differ."""
    with platform.database.transaction() as connection:
        version = platform.registry.get(connection, namespace.namespace_id, plugin_id)
        found = overview.describe_traffic(connection, version)
    for each in found["versions"]:
        each["serving"] = platform.replicas.status_of(version.namespace_id, each["plugin_id"])
    return {"success": True, **found}
