"""Creating and changing collections: the extractor is found, its inputs are checked, its features become indexes."""

from __future__ import annotations

from typing import Any

import psycopg

from mixpeek.collections import queries
from mixpeek.collections.checks import check_extractor
from mixpeek.collections.models import Collection
from mixpeek.collections.schemas import CloneCollection, CreateCollection, FeatureExtractor, UpdateCollection
from mixpeek.collections.source_schema import schema_at, target_of
from mixpeek.collections.sources import find_sources
from mixpeek.contract.features import FeatureUri
from mixpeek.contract.manifest import Feature
from mixpeek.db.pool import Connection, new_id
from mixpeek.errors import AlreadyExists, Conflict, InvalidRequest, NotFound
from mixpeek.registry.extractors import find_extractor
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry

MUTABLE = ("collection_name", "description", "metadata", "enabled")
IMMUTABLE = ("source", "feature_extractor", "input_schema", "output_schema", "vector_indexes")


def create_collection(registry: Registry, namespace_id: str, body: CreateCollection) -> Collection:
    """Create a collection over existing buckets, or over the documents of other collections.

    Raises: NotFound: no such source or extractor. InvalidRequest: what the extractor is to be fed, or what is to be
    kept, is not in the source; parameters do not fit the extractor; filters that are not served.
    """
    wanted = body.feature_extractor
    version = find_extractor(registry, namespace_id, wanted.feature_extractor_name, wanted.version)
    with registry.database.transaction() as connection:
        found = find_sources(connection, namespace_id, body.source, body.collection_name, body.input_schema)
        wanted = check_extractor(wanted, version, found)
        collection_id = new_id("col", 10)
        made = output_schema(version, wanted, found.fields)
        kept = wanted.model_dump(exclude={"params"})
        stage = {"source_config": found.source, "feature_extractor": kept, "output_schema": made}
        collection = {
            "collection_id": collection_id,
            "namespace_id": namespace_id,
            "collection_name": body.collection_name,
            "description": body.description,
            "source": found.source,
            "feature_extractor": kept,
            "input_schema": {"properties": found.fields},
            "output_schema": made,
            "metadata": body.metadata or {},
            "enabled": body.enabled is not False,
            "source_lineage": [*found.lineage, stage],
            "source_bucket_schemas": found.bucket_schemas,
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
            raise _name_taken(body.collection_name)
        return get_collection(connection, namespace_id, collection_id)


def clone_collection(registry: Registry, namespace_id: str, identifier: str, body: CloneCollection) -> Collection:
    """Create a collection like another one, with what the body gives in place of what that one has; it begins empty."""
    with registry.database.transaction() as connection:
        like = get_collection(connection, namespace_id, identifier)
    same_source = {key: value for key, value in like.source.items() if key != "inherited_bucket_ids"}
    given = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    whole = {
        "source": same_source,
        "feature_extractor": like.feature_extractor,
        "description": like.description,
        "metadata": like.metadata,
        "enabled": like.enabled,
        **given,
    }
    return create_collection(registry, namespace_id, CreateCollection.model_validate(whole))


def update_collection(
    connection: Connection, namespace_id: str, identifier: str, body: UpdateCollection, *, whole: bool = False
) -> Collection:
    """Change a collection's name, description, metadata or whether it is enabled; with `whole`, all of them.

    Raises: InvalidRequest: the body would change what decides the documents. AlreadyExists: the name is taken.
    """
    collection = get_collection(connection, namespace_id, identifier)
    is_now = collection.wire()
    given = body.model_dump(exclude_unset=True)
    fixed = [name for name in IMMUTABLE if given.get(name) is not None and given[name] != is_now[name]]
    if fixed:
        raise InvalidRequest(
            f"{', '.join(f'`{name}`' for name in fixed)} cannot be changed: it decides what documents there are",
            hint=f"POST /v1/collections/{collection.collection_id}/clone makes a collection with another one",
        )
    if whole:
        given = {"description": None, "metadata": {}, "enabled": True, **given}
    changed: dict[str, Any] = {
        "collection_name": given.get("collection_name") or collection.collection_name,
        "description": given.get("description", collection.description),
        "metadata": collection.metadata if given.get("metadata") is None else given["metadata"],
        "enabled": collection.enabled if given.get("enabled") is None else given["enabled"],
    }
    try:
        queries.update_collection(connection, collection.collection_id, changed)
    except psycopg.errors.UniqueViolation as taken:
        raise _name_taken(changed["collection_name"]) from taken
    return get_collection(connection, namespace_id, collection.collection_id)


def delete_collection(connection: Connection, namespace_id: str, identifier: str) -> Collection:
    """Delete a collection with its documents and return what it was.

    Raises: Conflict: other collections read it.
    """
    collection = get_collection(connection, namespace_id, identifier)
    queries.lock_collection(connection, collection.collection_id)
    readers = queries.list_readers_of(connection, namespace_id, collection.collection_id)
    if readers:
        raise Conflict(
            f"The documents of {collection.collection_name!r} are the source of {', '.join(readers)}",
            hint="Delete those first; what they made of its documents goes with them",
        )
    queries.delete_collection(connection, collection.collection_id)
    return collection


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
        target_of(item.source_path, item.target_path): schema_at(fields, item.source_path) or {}
        for item in wanted.field_passthrough
    }
    if wanted.include_all_source_fields:
        passed = {**fields, **passed}
    made = dict(version.parsed_manifest.output_schema.get("properties", {}))
    for feature in version.parsed_manifest.embeddings:
        made[feature.feature_name] = {"type": "array", "items": {"type": "number"}, "length": feature.embedding_dim}
    return {"properties": {**passed, **made}}


def _name_taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"There is a collection named {name!r} already", hint="Use it, or pick another name")
