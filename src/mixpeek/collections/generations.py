"""Generations: a collection that follows the active version of its extractor is built anew beside what is searched.

The next generation is opened by a batch that runs over all its source holds, and takes the place of the live one in the
transaction that ends its tier; the one before stays until the next switch. That of an upgrade waits to be switched to.
"""

from __future__ import annotations

from mixpeek.collections import queries, upgrade_queries
from mixpeek.collections.models import Collection
from mixpeek.collections.schemas import FeatureExtractor
from mixpeek.collections.service import output_schema, vector_index
from mixpeek.collections.upgrade_states import State
from mixpeek.db.pool import Connection
from mixpeek.documents.port import DocumentStore, Index
from mixpeek.registry.extractors import find_extractor
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry


def next_version(registry: Registry, collection: Collection) -> PluginVersion | None:
    """Return the version that a collection's next whole run is made with, None if that is the one it has."""
    wanted = collection.feature_extractor
    if collection.is_upgrading or wanted.get("version") not in (None, "latest"):
        return None
    active = find_extractor(registry, collection.namespace_id, wanted["feature_extractor_name"], None)
    is_same = (active.namespace_id, active.plugin_id) == (collection.plugin_namespace, collection.plugin_id)
    return None if is_same else active


def open_generation(connection: Connection, collection: Collection, version: PluginVersion) -> int:
    """Begin the next generation of a collection, not searched yet; return its number."""
    return queries.insert_generation(
        connection,
        {
            "collection_id": collection.collection_id,
            "plugin_namespace": version.namespace_id,
            "plugin_id": version.plugin_id,
            "code_hash": version.code_hash,
            "parameters": collection.feature_extractor["parameters"],
            "features": [vector_index(version, feature) for feature in version.parsed_manifest.embeddings],
        },
    )


def switch_generation(
    connection: Connection, documents: DocumentStore, collection: Collection, generation: int, version: PluginVersion
) -> list[str]:
    """Have a collection searched by another generation, with all that users made and set in the former one.

    Returns: the ids of the documents that only the former has.
    """
    wanted = FeatureExtractor.model_validate(collection.feature_extractor)
    schema = output_schema(version, wanted, collection.input_schema.get("properties", {}))
    before = collection.live_generation
    documents.carry_over(connection, Index(collection.collection_id, before), generation)
    queries.switch_generation(connection, collection.collection_id, before, generation, schema)
    return queries.list_vanished(connection, collection.collection_id, before, generation)


def end_build(connection: Connection, documents: DocumentStore, batch_id: str, error: str | None) -> None:
    """End the build of an upgrade, if a batch builds one, with that batch.

    A build that failed is dropped, unless it was switched to by force before its end.
    """
    upgrade = upgrade_queries.find_upgrade_of_batch(connection, batch_id)
    if upgrade is None:
        return
    if upgrade.at is State.BUILDING:
        collection_id, generation = upgrade.collection_id, upgrade.to_generation
        if error is None:
            documents.carry_over(connection, Index(collection_id, upgrade.from_generation), generation)
            upgrade_queries.set_state(connection, collection_id, generation, "ready")
            upgrade_queries.move(connection, upgrade.upgrade_id, State.READY)
        else:
            upgrade_queries.move(connection, upgrade.upgrade_id, State.FAILED, error)
            queries.drop_building(connection, collection_id, [generation])
    elif upgrade.at is State.LIVE:
        before = Index(upgrade.collection_id, upgrade.from_generation)
        documents.carry_over(connection, before, upgrade.to_generation)
        if error is not None:
            upgrade_queries.note_behind(connection, upgrade.collection_id, f"the build failed: {error}")


def cancel_build(connection: Connection, batch_id: str) -> None:
    """End the upgrade that a batch builds because the batch was cancelled; its generation is dropped."""
    upgrade = upgrade_queries.find_upgrade_of_batch(connection, batch_id)
    if upgrade is None:
        return
    if upgrade.at is State.BUILDING and upgrade_queries.move(connection, upgrade.upgrade_id, State.CANCELED):
        queries.drop_building(connection, upgrade.collection_id, [upgrade.to_generation])
    elif upgrade.at is State.LIVE:
        upgrade_queries.note_behind(connection, upgrade.collection_id, "the build was cancelled")
