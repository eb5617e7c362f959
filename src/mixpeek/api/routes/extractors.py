"""One list of what collections can use: the namespace's own plugins, and those shipped with the platform."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from mixpeek.api.access import HeaderNamespace, PathNamespace, PlatformDep
from mixpeek.api.answers import answers
from mixpeek.api.platform import Platform
from mixpeek.api.schemas.extractors import ExtractorAnswer, ExtractorList
from mixpeek.deployments import queries as deployment_queries
from mixpeek.errors import NotFound
from mixpeek.registry import queries
from mixpeek.registry.extractors import BUILTINS, find_builtin
from mixpeek.registry.library import list_enabled
from mixpeek.registry.models import PluginVersion
from mixpeek.tenancy.models import Namespace

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/extractors", tags=["extractors"])
flat_router = APIRouter(prefix="/v1/collections/features/extractors", tags=["extractors"])

Source = Literal["all", "builtin", "custom", "community"]


@router.get("", **answers(ExtractorList))
def list_extractors(
    platform: PlatformDep,
    namespace: PathNamespace,
    source: Annotated[Source, Query()] = "all",
) -> dict[str, Any]:
    """List extractors; `community` are plugins that the organization shares and this namespace has enabled."""
    return extractors_of(platform, namespace, source)


@router.get("/{extractor_id}", **answers(ExtractorAnswer))
def get_extractor(platform: PlatformDep, namespace: PathNamespace, extractor_id: str) -> dict[str, Any]:
    """Return one extractor by its id, such as `text_extractor_1_0_0`, or by its name."""
    for found in extractors_of(platform, namespace, "all")["extractors"]:
        if extractor_id in (found["feature_extractor_id"], found["name"]):
            return {"success": True, "extractor": found}
    raise NotFound("feature extractor", extractor_id)


@flat_router.get("", **answers(ExtractorList))
def list_all_extractors(platform: PlatformDep, namespace: HeaderNamespace) -> dict[str, Any]:
    """List every extractor a collection of the namespace can use."""
    return extractors_of(platform, namespace, "all")


def extractors_of(platform: Platform, namespace: Namespace, source: Source) -> dict[str, Any]:
    """Return the namespace's own, its enabled shared, and the built-in extractors."""
    found: list[dict[str, Any]] = []
    with platform.database.transaction() as connection:
        live = deployment_queries.list_live_plugin_ids(connection, namespace.namespace_id)
        if source in ("all", "custom"):
            for version in queries.list_versions(connection, namespace.namespace_id):
                found.append(_wire(version, "custom", deployed=version.plugin_id in live))
        if source in ("all", "community"):
            found += [_wire(version, "community") for version in list_enabled(connection, namespace.namespace_id)]
    if source in ("all", "builtin"):
        for name in sorted(BUILTINS):
            found.append(_wire(find_builtin(platform.registry, name), "builtin"))
    return {"success": True, "extractors": found, "results": found, "total": len(found)}


def _wire(version: PluginVersion, source: str, *, deployed: bool = True) -> dict[str, Any]:
    manifest = version.manifest
    return {
        "plugin_id": version.plugin_id,
        "name": version.name,
        "version": version.version,
        "description": version.description,
        "deployed": deployed,
        "active": version.active,
        "validation_status": "passed",
        "feature_uri": version.feature_uri,
        "code_hash": version.code_hash,
        "created_at": version.created_at,
        "updated_at": version.created_at,
        "feature_extractor_id": version.plugin_id,
        "feature_extractor_name": version.name,
        "source": source,
        "input_schema": manifest["input_schema"],
        "output_schema": manifest["output_schema"],
        "parameter_schema": manifest["parameter_schema"],
        "required_vector_indexes": manifest["features"],
        "position_fields": [],
    }
