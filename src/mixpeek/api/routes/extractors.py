"""One list of what collections can use: the namespace's own plugins, and those shipped with the platform."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from mixpeek.api.access import PathNamespace, PlatformDep
from mixpeek.deployments import queries as deployment_queries
from mixpeek.registry import queries
from mixpeek.registry.extractors import BUILTINS, find_extractor
from mixpeek.registry.models import PluginVersion

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/extractors", tags=["extractors"])


@router.get("")
def list_extractors(
    platform: PlatformDep,
    namespace: PathNamespace,
    source: Annotated[Literal["all", "builtin", "custom", "community"], Query()] = "all",
) -> dict[str, Any]:
    """List extractors; `community` are plugins shared by the organization."""
    found: list[dict[str, Any]] = []
    if source in ("all", "custom"):
        with platform.database.transaction() as connection:
            live = deployment_queries.list_live_plugin_ids(connection, namespace.namespace_id)
            own = queries.list_versions(connection, namespace.namespace_id)
        found += [_wire(version, "custom", deployed=version.plugin_id in live) for version in own]
    if source in ("all", "builtin"):
        for name in sorted(BUILTINS):
            found.append(_wire(find_extractor(platform.registry, namespace.namespace_id, name, None), "builtin"))
    return {"success": True, "extractors": found, "results": found, "total": len(found)}


def _wire(version: PluginVersion, source: str, *, deployed: bool = True) -> dict[str, Any]:
    manifest = version.manifest
    return {
        **version.wire_summary(deployed=deployed),
        "feature_extractor_id": version.plugin_id,
        "feature_extractor_name": version.name,
        "source": source,
        "input_schema": manifest["input_schema"],
        "output_schema": manifest["output_schema"],
        "parameter_schema": manifest["parameter_schema"],
        "required_vector_indexes": manifest["features"],
    }
