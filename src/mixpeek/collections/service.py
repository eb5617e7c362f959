"""Creating collections: the extractor is found, its features become the vector indexes, its inputs are checked."""

from __future__ import annotations

from typing import Any

from mixpeek.catalog import service as catalog
from mixpeek.collections import queries
from mixpeek.collections.models import Collection
from mixpeek.collections.schemas import CreateCollection, FeatureExtractor
from mixpeek.contract.features import FeatureUri
from mixpeek.contract.manifest import Feature
from mixpeek.db.pool import Connection, new_id
from mixpeek.errors import AlreadyExists, InvalidRequest, NotFound
from mixpeek.registry.extractors import find_extractor
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry


def create_collection(registry: Registry, namespace_id: str, body: CreateCollection) -> Collection:
    """Create a collection over existing buckets.

    Raises: NotFound: no such bucket or extractor. InvalidRequest: a mapping names a field no bucket has.
    """
    wanted = body.feature_extractor
    version = find_extractor(registry, namespace_id, wanted.feature_extractor_name, wanted.version)
    with registry.database.transaction() as connection:
        buckets = [catalog.get_bucket(connection, namespace_id, name) for name in body.source.bucket_ids]
        fields: dict[str, Any] = {}
        for bucket in buckets:
            fields.update(bucket.bucket_schema["properties"])
        _check_mappings(wanted, fields)
        collection_id = new_id("col", 10)
        collection = {
            "collection_id": collection_id,
            "namespace_id": namespace_id,
            "collection_name": body.collection_name,
            "description": body.description,
            "source": {"type": "bucket", "bucket_ids": [bucket.bucket_id for bucket in buckets]},
            "feature_extractor": wanted.model_dump(),
            "input_schema": {"properties": fields},
            "output_schema": output_schema(version, wanted, fields),
            "metadata": body.metadata,
            "enabled": body.enabled,
        }
        generation = {
            "collection_id": collection_id,
            "plugin_namespace": version.namespace_id,
            "plugin_id": version.plugin_id,
            "code_hash": version.code_hash,
            "parameters": wanted.parameters,
            "features": [vector_index(version, feature) for feature in version.parsed_manifest.embeddings],
        }
        if not queries.insert_collection(connection, collection, generation):
            raise AlreadyExists(
                f"There is a collection named {body.collection_name!r} already", hint="Use it, or pick another name"
            )
        return get_collection(connection, namespace_id, collection_id)


def get_collection(connection: Connection, namespace_id: str, identifier: str) -> Collection:
    """Return the collection with this id or name."""
    collection = queries.find_collection(connection, namespace_id, identifier)
    if collection is None:
        raise NotFound("collection", identifier)
    return collection


def vector_index(version: PluginVersion, feature: Feature) -> dict[str, Any]:
    """Return how one embedding of a version is indexed, in the documented shape."""
    return {
        "name": feature.feature_name,
        "feature_uri": str(FeatureUri(version.name, version.version, feature.feature_name)),
        "description": feature.description,
        "dimensions": feature.embedding_dim,
        "type": "dense",
        "distance": {"euclid": "euclidean"}.get(feature.distance_metric, feature.distance_metric),
        "datatype": "float32",
        "inference_name": version.plugin_id,
    }


def output_schema(version: PluginVersion, wanted: FeatureExtractor, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the documents: what is passed through, then what the extractor declares."""
    passed = {
        (item.target_path or item.source_path.split(".")[-1]): fields.get(item.source_path.split(".")[-1], {})
        for item in wanted.field_passthrough
    }
    if wanted.include_all_source_fields:
        passed = {**fields, **passed}
    made = dict(version.parsed_manifest.output_schema.get("properties", {}))
    for feature in version.parsed_manifest.embeddings:
        made[feature.feature_name] = {"type": "array", "items": {"type": "number"}, "length": feature.embedding_dim}
    return {"properties": {**passed, **made}}


def _check_mappings(wanted: FeatureExtractor, fields: dict[str, Any]) -> None:
    for key, path in wanted.input_mappings.items():
        name = path.removeprefix("$.").removeprefix("payload.").removeprefix("metadata.").split(".")[0]
        if name not in fields:
            raise InvalidRequest(
                f"input_mappings[{key!r}] reads {path!r}, which no source bucket has",
                hint=f"The buckets have: {', '.join(sorted(fields))}",
            )
