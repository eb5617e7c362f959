"""One list of what collections can use: the namespace's own plugins, and those shipped with the platform."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from mixpeek.api.access import NamedNamespace, PathNamespace, PlatformDep, Reader
from mixpeek.api.answers import answers
from mixpeek.api.platform import Platform
from mixpeek.api.schemas.extractors import Extractor, ExtractorList
from mixpeek.collections.service import vector_index
from mixpeek.contract.manifest import Feature
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


@router.get("/{extractor_id}", **answers(Extractor))
def get_extractor(platform: PlatformDep, namespace: PathNamespace, extractor_id: str) -> dict[str, Any]:
    """Return one extractor by its id, such as `text_extractor_1_0_0`, or by its name."""
    return _one(extractors_of(platform, namespace, "all")["extractors"], extractor_id)


@flat_router.get("", **answers(list[Extractor]))
def list_all_extractors(platform: PlatformDep, caller: Reader, namespace: NamedNamespace) -> list[dict[str, Any]]:
    """List every extractor a collection of the namespace can use; without a namespace, those built in."""
    return _all(platform, namespace)


@flat_router.get("/{extractor_id}", **answers(Extractor, operation_id="get_any_extractor"))
def get_any_extractor(
    platform: PlatformDep, caller: Reader, namespace: NamedNamespace, extractor_id: str
) -> dict[str, Any]:
    """Return one extractor by its id or name; without a namespace, of those built in."""
    return _one(_all(platform, namespace), extractor_id)


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
    builtins = _builtins(platform) if source in ("all", "builtin") else []
    return {
        "success": True,
        "extractors": found + builtins,
        "results": found + builtins,
        "total": len(found) + len(builtins),
        "namespace_id": namespace.namespace_id,
        "builtin_count": len(builtins),
        "custom_count": len(found),
    }


def _all(platform: Platform, namespace: Namespace | None) -> list[dict[str, Any]]:
    if namespace is None:
        return _builtins(platform)
    found: list[dict[str, Any]] = extractors_of(platform, namespace, "all")["extractors"]
    return found


def _builtins(platform: Platform) -> list[dict[str, Any]]:
    return [_wire(find_builtin(platform.registry, name), "builtin") for name in sorted(BUILTINS)]


def _one(found: list[dict[str, Any]], identifier: str) -> dict[str, Any]:
    for extractor in found:
        if identifier in (extractor["feature_extractor_id"], extractor["name"]):
            return extractor
    raise NotFound("feature extractor", identifier)


def _wire(version: PluginVersion, source: str, *, deployed: bool = True) -> dict[str, Any]:
    manifest = version.parsed_manifest
    return {
        "plugin_id": version.plugin_id,
        "name": version.name,
        "version": version.version,
        "description": version.description,
        "icon": "box",
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
        "input_schema": manifest.input_schema,
        "output_schema": manifest.output_schema,
        "parameter_schema": manifest.parameter_schema,
        "supported_input_types": manifest.supported_input_types,
        "max_inputs": {},
        "default_parameters": _defaults(manifest.parameter_schema),
        "costs": None,
        "required_vector_indexes": [_index_definition(version, feature) for feature in manifest.embeddings],
        "required_payload_indexes": [],
        "position_fields": [],
    }


def _index_definition(version: PluginVersion, feature: Feature) -> dict[str, Any]:
    """Return one embedding as the documented definition, which wants at least ten characters of description."""
    index = vector_index(version, feature)
    description = f"Vectors of {feature.feature_name}. {feature.description}".strip()
    return {
        "feature_uri": index["feature_uri"],
        "name": feature.feature_name,
        "description": description,
        "type": "single",
        "index": {**{key: value for key, value in index.items() if key != "feature_uri"}, "description": description},
    }


def _defaults(parameter_schema: dict[str, Any]) -> dict[str, Any]:
    properties = parameter_schema.get("properties", {})
    return {name: schema["default"] for name, schema in properties.items() if "default" in schema}
