"""Planning an upgrade, beginning it, switching to it and back, and dropping what is not searched.

A build is a batch like any other; what its end means is `collections.generations`' business.
"""

from __future__ import annotations

from typing import Any

from mixpeek.batches import outcome_queries, progress_queries
from mixpeek.batches import queries as batch_queries
from mixpeek.batches import service as batches
from mixpeek.collections import queries as collection_queries
from mixpeek.collections import upgrade_queries
from mixpeek.collections.checks import check_extractor
from mixpeek.collections.dropping import give_up
from mixpeek.collections.generations import open_generation
from mixpeek.collections.models import Collection, Upgrade
from mixpeek.collections.schemas import FeatureExtractor, Source
from mixpeek.collections.service import get_collection, output_schema, vector_index
from mixpeek.collections.sources import find_sources
from mixpeek.collections.upgrade_states import OPEN, State, fault_of_switch, is_legal
from mixpeek.db.pool import Connection, new_id
from mixpeek.documents.port import Index
from mixpeek.errors import Conflict, InvalidRequest, NotFound
from mixpeek.registry.extractors import find_extractor
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry
from mixpeek.tenancy.models import Namespace
from mixpeek.upgrades import queries
from mixpeek.upgrades.plan import compare_features, compare_fields, effect_on_retriever
from mixpeek.upgrades.schemas import BeginUpgrade
from mixpeek.workflows import tasks


def plan_upgrade(registry: Registry, namespace: Namespace, identifier: str, body: BeginUpgrade) -> dict[str, Any]:
    """Return what an upgrade would change; with `start`, begin it in the same transaction.

    Raises: NotFound: no such collection or version. Conflict: it cannot begin now. InvalidRequest: the version does
    not fit the collection.
    """
    with registry.database.transaction() as connection:
        name = get_collection(connection, namespace.namespace_id, identifier).feature_extractor[
            "feature_extractor_name"
        ]
    version = find_extractor(registry, namespace.namespace_id, name, body.version)
    with registry.database.transaction() as connection:
        collection = get_collection(connection, namespace.namespace_id, identifier)
        if body.start:
            collection_queries.lock_collection(connection, collection.collection_id)
            collection = get_collection(connection, namespace.namespace_id, identifier)
        plan = _plan(connection, collection, version)
        if not body.start:
            return {**plan, "upgrade": None}
        if plan["blockers"]:
            refusal = InvalidRequest if _fault_of_fit(connection, collection, version) else Conflict
            raise refusal(
                f"{collection.collection_name!r} cannot be upgraded to {version.plugin_id}: {plan['blockers'][0]}",
                hint="POST the same without `start` to see the whole plan",
            )
        upgrade = _start(connection, namespace, collection, version)
        return {**plan, "upgrade": describe(connection, upgrade)}


def _plan(connection: Connection, collection: Collection, version: PluginVersion) -> dict[str, Any]:
    wanted = FeatureExtractor.model_validate(collection.feature_extractor)
    after = [vector_index(version, feature) for feature in version.parsed_manifest.embeddings]
    features = compare_features(collection.features, after)
    schema = output_schema(version, wanted, collection.input_schema.get("properties", {}))
    objects, documents = queries.count_sources(connection, collection.source)
    retrievers = []
    for found in queries.list_retrievers_over(connection, collection.namespace_id, collection.collection_id):
        effect, why = effect_on_retriever(found.pop("stages"), features, version.name)
        retrievers.append({**found, "effect": effect, "why": why})
    readers = collection_queries.list_readers_of(connection, collection.namespace_id, collection.collection_id)
    warnings = [f"The retriever {r['retriever_name']!r}: {r['why']}" for r in retrievers if r["effect"] != "follows"]
    if readers:
        warnings.append(f"What {', '.join(readers)} made of its documents stays; trigger them after the switch")
    fault = _fault_of_fit(connection, collection, version)
    blockers = [] if fault is None else [fault]
    blockers += _conflicts(connection, collection, version)
    held = f"{objects} objects" if collection.source["type"] == "bucket" else f"{documents} documents"
    return {
        "collection_id": collection.collection_id,
        "collection_name": collection.collection_name,
        "from_plugin_id": collection.plugin_id,
        "to_plugin_id": version.plugin_id,
        "objects": objects,
        "source_documents": documents,
        "documents": collection.document_count,
        "features": features,
        "fields": compare_fields(collection.output_schema.get("properties", {}), schema["properties"]),
        "retrievers": retrievers,
        "readers": readers,
        "warnings": warnings,
        "blockers": blockers,
        "message": f"{held} would be run through {version.plugin_id} beside the {collection.document_count} documents"
        " that are searched; nothing has changed",
    }


def _fault_of_fit(connection: Connection, collection: Collection, version: PluginVersion) -> str | None:
    """Return why a version cannot be fed as the collection says, None if it can."""
    source = {key: value for key, value in collection.source.items() if key != "inherited_bucket_ids"}
    own = collection.collection_name
    found = find_sources(connection, collection.namespace_id, Source.model_validate(source), own, None)
    try:
        check_extractor(FeatureExtractor.model_validate(collection.feature_extractor), version, found)
    except InvalidRequest as fault:
        return fault.message
    return None


def _conflicts(connection: Connection, collection: Collection, version: PluginVersion) -> list[str]:
    found = []
    if (version.namespace_id, version.plugin_id) == (collection.plugin_namespace, collection.plugin_id):
        found.append(f"its documents are made by {version.plugin_id} already")
    if collection.is_upgrading:
        upgrade = upgrade_queries.find_upgrade(connection, collection.collection_id)
        state = upgrade.state if upgrade else "open"
        found.append(f"an upgrade of it is {state}; drop or cancel that first")
    elif queries.find_building(connection, collection.collection_id) is not None:
        found.append("a batch is building its next generation; wait for its end")
    if not collection.enabled:
        found.append("it is disabled")
    return found


def _start(connection: Connection, namespace: Namespace, collection: Collection, version: PluginVersion) -> Upgrade:
    generation = open_generation(connection, collection, version)
    batch_id, task_id = batches.build_generation(connection, namespace, collection, generation)
    upgrade_queries.insert_upgrade(
        connection,
        {
            "upgrade_id": new_id("upg"),
            "namespace_id": collection.namespace_id,
            "collection_id": collection.collection_id,
            "from_generation": collection.live_generation,
            "to_generation": generation,
            "from_plugin_id": collection.plugin_id,
            "to_plugin_id": version.plugin_id,
            "from_version": collection.feature_extractor["version"],
            "batch_id": batch_id,
            "task_id": task_id,
        },
    )
    return get_upgrade(connection, collection)


def get_upgrade(connection: Connection, collection: Collection, *, lock: bool = False) -> Upgrade:
    """Return the newest upgrade of a collection, open or ended.

    Raises: NotFound: there never was one.
    """
    upgrade = upgrade_queries.find_upgrade(connection, collection.collection_id, lock=lock)
    if upgrade is None:
        raise NotFound("upgrade of collection", collection.collection_name, hint="POST …/upgrade begins one")
    return upgrade


def describe(connection: Connection, upgrade: Upgrade) -> dict[str, Any]:
    """Return an upgrade as it is answered: with how far its build is, and what keeps it from being switched."""
    build = upgrade.batch_id and batch_queries.find_batch(connection, upgrade.batch_id)
    progress = progress_queries.progress(connection, upgrade.batch_id) if build and upgrade.batch_id else None
    causes = outcome_queries.count_failed(connection, upgrade.collection_id, upgrade.to_generation)
    return {
        **upgrade.wire(),
        "progress": progress,
        "failed_rows": sum(causes.values()),
        "causes": causes,
        "incomplete": fault_of_switch(upgrade.at, sum(causes.values()), upgrade.behind) if upgrade.at in OPEN else None,
    }


def switch(registry: Registry, namespace: Namespace, identifier: str, force: str | None) -> dict[str, Any]:
    """Have the new generation searched from the next query on, in one transaction.

    Raises: Conflict: there is nothing to switch to, or it is not complete and `force` is not the collection's name.
    """
    return _turn(registry, namespace, identifier, State.LIVE, force)


def roll_back(registry: Registry, namespace: Namespace, identifier: str, force: str | None) -> dict[str, Any]:
    """Have the former generation searched again from the next query on; the collection stays with its version.

    Raises: Conflict: nothing was switched, or what it goes back to lacks something and `force` is not its name.
    """
    return _turn(registry, namespace, identifier, State.ROLLED_BACK, force)


def _turn(registry: Registry, namespace: Namespace, identifier: str, to: State, force: str | None) -> dict[str, Any]:
    with registry.database.transaction() as connection:
        name = get_collection(connection, namespace.namespace_id, identifier).feature_extractor[
            "feature_extractor_name"
        ]
    active = _active(registry, namespace, name)
    with registry.database.transaction() as connection:
        collection, upgrade = _locked(connection, namespace, identifier)
        if not is_legal(upgrade.at, to):
            raise _cannot(collection, upgrade, "switched" if to is State.LIVE else "rolled back")
        told = describe(connection, upgrade)
        if told["incomplete"] and force != collection.collection_name:
            raise Conflict(
                f"{collection.collection_name!r} is not switched: {told['incomplete']}",
                hint="Wait, or retry its batch; to switch all the same send `force` with the collection's name",
            )
        generation = upgrade.to_generation if to is State.LIVE else upgrade.from_generation
        version = _version_of(registry, connection, collection, generation)
        wanted = FeatureExtractor.model_validate(collection.feature_extractor)
        schema = output_schema(version, wanted, collection.input_schema.get("properties", {}))
        # Who follows the active version goes on to, if that is the one; else the next batch would build another.
        follows = to is State.LIVE and wanted.version in (None, "latest") and version.plugin_id == active
        pinned = wanted.version if follows else version.version
        upgrade_queries.make_live(connection, collection.collection_id, generation, schema, pinned)
        upgrade_queries.move(connection, upgrade.upgrade_id, to)
        return describe(connection, get_upgrade(connection, collection))


def cancel(connection: Connection, namespace: Namespace, identifier: str) -> dict[str, Any]:
    """End an upgrade that was not switched; its generation is dropped and nothing else changes.

    Raises: Conflict: it was switched, or has ended.
    """
    collection = get_collection(connection, namespace.namespace_id, identifier)
    upgrade = get_upgrade(connection, collection)
    build = batch_queries.find_batch(connection, upgrade.batch_id) if upgrade.batch_id else None
    if build is not None and upgrade.at is State.BUILDING and build.status not in tasks.TERMINAL:
        # It takes the upgrade with it, in the order in which a batch that ends does.
        batches.cancel_batch(connection, namespace, build)
    collection, upgrade = _locked(connection, namespace, identifier)
    if upgrade.at is not State.CANCELED:
        if not is_legal(upgrade.at, State.CANCELED):
            raise _cannot(collection, upgrade, "canceled")
        give_up(connection, namespace, Index(collection.collection_id, upgrade.to_generation))
        upgrade_queries.move(connection, upgrade.upgrade_id, State.CANCELED)
    return describe(connection, get_upgrade(connection, collection))


def drop(connection: Connection, namespace: Namespace, identifier: str) -> dict[str, Any]:
    """Give up the generation that is not searched, which ends the upgrade; there is no way back from here.

    Returns: the upgrade, with the task that removes the documents.
    Raises: Conflict: nothing was switched.
    """
    collection, upgrade = _locked(connection, namespace, identifier)
    if not is_legal(upgrade.at, State.DONE):
        raise _cannot(collection, upgrade, "dropped")
    build = batch_queries.find_batch(connection, upgrade.batch_id) if upgrade.batch_id else None
    if build is not None and build.status not in tasks.TERMINAL:
        raise Conflict("Its build, which was switched to by force, still runs", hint="Wait for its end, or cancel it")
    gone = upgrade.from_generation if upgrade.at is State.LIVE else upgrade.to_generation
    task_id = give_up(connection, namespace, Index(collection.collection_id, gone))
    upgrade_queries.move(connection, upgrade.upgrade_id, State.DONE)
    return {**describe(connection, get_upgrade(connection, collection)), "task_id": task_id}


def _locked(connection: Connection, namespace: Namespace, identifier: str) -> tuple[Collection, Upgrade]:
    """Return a collection and its newest upgrade, both held until the transaction ends."""
    collection = get_collection(connection, namespace.namespace_id, identifier)
    collection_queries.lock_collection(connection, collection.collection_id)
    collection = get_collection(connection, namespace.namespace_id, collection.collection_id)
    return collection, get_upgrade(connection, collection, lock=True)


def _version_of(registry: Registry, connection: Connection, collection: Collection, generation: int) -> PluginVersion:
    found = collection_queries.find_generation(connection, collection.collection_id, generation)
    if found is None:
        raise Conflict(f"Generation {generation} of {collection.collection_name!r} was dropped")
    return registry.get(connection, found["plugin_namespace"], found["plugin_id"])


def _active(registry: Registry, namespace: Namespace, name: str) -> str | None:
    try:
        return find_extractor(registry, namespace.namespace_id, name, None).plugin_id
    except NotFound:
        return None


def _cannot(collection: Collection, upgrade: Upgrade, what: str) -> Conflict:
    hints = {
        State.LIVE: "It is searched already; roll it back, or drop the former generation",
        State.ROLLED_BACK: "The former generation is searched; switch again, or drop the new one",
        State.READY: "It is complete and not searched yet: switch to it, or cancel it",
        State.BUILDING: "It is being built: wait, or cancel it",
    }
    return Conflict(
        f"The upgrade of {collection.collection_name!r} is {upgrade.state}; it cannot be {what}",
        hint=hints.get(upgrade.at, "It has ended; POST …/upgrade begins another one"),
    )
