"""SQL over collections and their generations."""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from mixpeek.collections.models import Collection
from mixpeek.db.listing import Found, Listing, list_rows
from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, insert_new, scalar
from mixpeek.filters.query import Query
from mixpeek.filters.surface import Column, Surface

COLLECTION = (
    "SELECT c.collection_id, c.namespace_id, c.collection_name, c.description, c.source, c.feature_extractor,"
    " c.input_schema, c.output_schema, c.metadata, c.enabled, c.live_generation, c.created_at, c.updated_at,"
    " c.source_lineage, c.source_bucket_schemas, g.plugin_namespace, g.plugin_id, g.code_hash, g.features,"
    " (SELECT count(*) FROM document_keys k WHERE k.collection_id = c.collection_id"
    "  AND k.generation = c.live_generation) AS document_count,"
    " c.former_features, EXISTS (SELECT FROM collection_upgrades u WHERE u.collection_id = c.collection_id"
    "  AND u.state IN ('BUILDING', 'READY', 'LIVE', 'ROLLED_BACK')) AS is_upgrading"
    " FROM collections c JOIN collection_generations g"
    " ON g.collection_id = c.collection_id AND g.generation = c.live_generation"
)

JSON = frozenset(
    (
        *("source", "feature_extractor", "input_schema", "output_schema", "metadata"),
        *("source_lineage", "source_bucket_schemas"),
    )
)

COLLECTIONS = Listing(
    COLLECTION,
    Surface(
        columns={
            **{name: Column(name) for name in ("collection_id", "collection_name", "description", "enabled")},
            **{name: Column(name) for name in ("plugin_id", "code_hash", "document_count")},
            **{name: Column(name, "json") for name in ("source", "feature_extractor", "input_schema", "metadata")},
            "output_schema": Column("output_schema", "json"),
            **{name: Column(name, "time") for name in ("created_at", "updated_at")},
        },
        searched=("collection_id", "collection_name", "description"),
    ),
    key=(("collection_id", "text"),),
)


def insert_collection(connection: Connection, collection: dict[str, Any], generation: dict[str, Any]) -> bool:
    """Insert a collection with its first generation and segment; False when its name is taken."""
    if not insert_new(connection, "collections", collection, JSON):
        return False
    connection.execute(
        "INSERT INTO collection_generations (collection_id, generation, plugin_namespace, plugin_id, code_hash,"
        " parameters, features) VALUES (%(collection_id)s, 1, %(plugin_namespace)s, %(plugin_id)s, %(code_hash)s,"
        " %(parameters)s, %(features)s)",
        {**generation, "parameters": Jsonb(generation["parameters"]), "features": Jsonb(generation["features"])},
    )
    connection.execute(
        "INSERT INTO segments (collection_id, generation, segment) VALUES (%s, 1, 1)", [generation["collection_id"]]
    )
    return True


def find_collection(
    connection: Connection, namespace_id: str, identifier: str, *, lock: bool = False
) -> Collection | None:
    """Return the collection with this id or name; with `lock`, it is not deleted before the transaction ends."""
    suffix: LiteralString = " FOR SHARE OF c" if lock else ""
    return first_row(
        connection,
        Collection,
        f"{COLLECTION} WHERE c.namespace_id = %s AND %s IN (c.collection_id, c.collection_name)"
        f" ORDER BY (c.collection_id = %s) DESC LIMIT 1{suffix}",
        [namespace_id, identifier, identifier],
    )


def update_collection(connection: Connection, collection_id: str, changed: dict[str, Any]) -> None:
    connection.execute(
        "UPDATE collections SET collection_name = %(collection_name)s, description = %(description)s,"
        " metadata = %(metadata)s, enabled = %(enabled)s, updated_at = now() WHERE collection_id = %(collection_id)s",
        {**changed, "metadata": Jsonb(changed["metadata"]), "collection_id": collection_id},
    )


def list_collections(connection: Connection, namespace_id: str, query: Query) -> Found[Collection]:
    return list_rows(
        connection, Collection, COLLECTIONS, query, "namespace_id = %(namespace)s", {"namespace": namespace_id}
    )


def list_by_bucket(connection: Connection, namespace_id: str, bucket_id: str) -> list[Collection]:
    """Return the enabled collections that read from a bucket."""
    return all_rows(
        connection,
        Collection,
        f"{COLLECTION} WHERE c.namespace_id = %s AND c.enabled AND c.source->'bucket_ids' ? %s"
        " ORDER BY c.collection_id",
        [namespace_id, bucket_id],
    )


def list_readers(connection: Connection, namespace_id: str, bucket_id: str) -> list[str]:
    """Return the names of all collections that read from a bucket, enabled or not."""
    rows = dict_rows(
        connection,
        "SELECT collection_name FROM collections WHERE namespace_id = %s AND source->'bucket_ids' ? %s"
        " ORDER BY collection_name",
        [namespace_id, bucket_id],
    )
    return [row["collection_name"] for row in rows]


def list_dependents(
    connection: Connection, plugin_namespace: str, plugin_id: str, namespace_id: str | None = None
) -> list[dict[str, Any]]:
    """Return the collections that keep a generation made by a plugin version, all or of one namespace."""
    return dict_rows(
        connection,
        "SELECT DISTINCT c.collection_id, c.collection_name, c.namespace_id FROM collection_generations g"
        " JOIN collections c ON c.collection_id = g.collection_id AND g.state NOT IN ('retired', 'dropping')"
        " WHERE g.plugin_namespace = %(owner)s AND g.plugin_id = %(plugin)s"
        " AND (%(ns)s::text IS NULL OR c.namespace_id = %(ns)s) ORDER BY c.collection_name",
        {"owner": plugin_namespace, "plugin": plugin_id, "ns": namespace_id},
    )


def is_used(connection: Connection, plugin_namespace: str, plugin_id: str) -> bool:
    """Tell whether a plugin version made a generation that is searched, or may be after a switch or a rollback."""
    found = scalar(
        connection,
        "SELECT EXISTS (SELECT FROM collection_generations WHERE plugin_namespace = %s AND plugin_id = %s"
        " AND state IN ('ready', 'live', 'kept'))",
        [plugin_namespace, plugin_id],
    )
    return bool(found)


def list_outdated(connection: Connection, namespace_id: str) -> list[dict[str, Any]]:
    """Return the collections that follow the active version of their extractor but were made by another one."""
    return dict_rows(
        connection,
        "SELECT c.collection_id, c.collection_name, g.plugin_id AS made_by, a.plugin_id AS active"
        " FROM collections c JOIN collection_generations g"
        " ON g.collection_id = c.collection_id AND g.generation = c.live_generation"
        " JOIN active_versions a ON a.namespace_id = g.plugin_namespace"
        " AND a.name = c.feature_extractor->>'feature_extractor_name'"
        " WHERE c.namespace_id = %s AND a.plugin_id <> g.plugin_id"
        " AND COALESCE(c.feature_extractor->>'version', 'latest') = 'latest' ORDER BY c.collection_name",
        [namespace_id],
    )


def lock_collection(connection: Connection, collection_id: str) -> None:
    """Have whoever is about to read from a collection wait for the end of the transaction."""
    connection.execute("SELECT FROM collections WHERE collection_id = %s FOR UPDATE", [collection_id])


def delete_collection(connection: Connection, collection_id: str) -> None:
    connection.execute("DELETE FROM collections WHERE collection_id = %s", [collection_id])


def list_collection_readers(connection: Connection, namespace_id: str) -> dict[str, list[str]]:
    """Return, for each collection that others read, the enabled ones that do, by id."""
    rows = dict_rows(
        connection,
        "SELECT s.id AS source, array_agg(c.collection_id ORDER BY c.collection_id) AS readers FROM collections c"
        " CROSS JOIN LATERAL jsonb_array_elements_text(c.source->'collection_ids') s (id)"
        " WHERE c.namespace_id = %s AND c.enabled AND c.source->>'type' = 'collection' GROUP BY s.id",
        [namespace_id],
    )
    return {row["source"]: row["readers"] for row in rows}


def list_readers_of(connection: Connection, namespace_id: str, collection_id: str) -> list[str]:
    """Return the names of the collections that read a collection, enabled or not."""
    rows = dict_rows(
        connection,
        "SELECT collection_name FROM collections WHERE namespace_id = %s AND source->'collection_ids' ? %s"
        " ORDER BY collection_name",
        [namespace_id, collection_id],
    )
    return [row["collection_name"] for row in rows]


def find_source_names(connection: Connection, namespace_id: str, kind: str, ids: list[str]) -> dict[str, str]:
    """Return the ids of these buckets, or collections, by name."""
    table: LiteralString = (
        "SELECT bucket_name AS name, bucket_id AS id FROM buckets WHERE namespace_id = %s AND bucket_id = ANY(%s)"
        if kind == "bucket"
        else "SELECT collection_name AS name, collection_id AS id FROM collections"
        " WHERE namespace_id = %s AND collection_id = ANY(%s)"
    )
    return {row["name"]: row["id"] for row in dict_rows(connection, table, [namespace_id, ids])}


def insert_generation(connection: Connection, generation: dict[str, Any]) -> int:
    """Insert the next generation of a collection with its first segment, to be built; return its number."""
    connection.execute(
        "SELECT FROM collections WHERE collection_id = %s FOR NO KEY UPDATE", [generation["collection_id"]]
    )
    number = scalar(
        connection,
        "INSERT INTO collection_generations (collection_id, generation, plugin_namespace, plugin_id, code_hash,"
        " parameters, features, state) SELECT %(collection_id)s, max(generation) + 1, %(plugin_namespace)s,"
        " %(plugin_id)s, %(code_hash)s, %(parameters)s, %(features)s, 'building' FROM collection_generations"
        " WHERE collection_id = %(collection_id)s RETURNING generation",
        {**generation, "parameters": Jsonb(generation["parameters"]), "features": Jsonb(generation["features"])},
    )
    connection.execute(
        "INSERT INTO segments (collection_id, generation, segment) VALUES (%s, %s, 1)",
        [generation["collection_id"], number],
    )
    return int(number)


def find_generation(connection: Connection, collection_id: str, generation: int) -> dict[str, Any] | None:
    """Return which plugin version makes a generation, its features, and which of the states of the schema it is in.

    None of one that was given up.
    """
    found = dict_rows(
        connection,
        "SELECT plugin_namespace, plugin_id, features, state FROM collection_generations"
        " WHERE collection_id = %s AND generation = %s AND state <> 'dropping'",
        [collection_id, generation],
    )
    return found[0] if found else None


def switch_generation(
    connection: Connection, collection_id: str, before: int, generation: int, output_schema: dict[str, Any]
) -> None:
    """Search another generation from now on; of the former ones the last is kept, and no other of a finished build."""
    connection.execute(
        "UPDATE collections SET live_generation = %s, output_schema = %s, updated_at = now() WHERE collection_id = %s",
        [generation, Jsonb(output_schema), collection_id],
    )
    connection.execute(
        "DELETE FROM collection_generations WHERE collection_id = %s AND state = 'retired'", [collection_id]
    )
    connection.execute(
        "UPDATE collection_generations SET state = CASE generation WHEN %(new)s THEN 'live' ELSE 'retired' END"
        " WHERE collection_id = %(collection)s AND generation IN (%(new)s, %(old)s)",
        {"collection": collection_id, "new": generation, "old": before},
    )


def drop_building(connection: Connection, collection_id: str, generations: list[int]) -> None:
    """Delete those of these generations that were being built, with their documents."""
    connection.execute(
        "DELETE FROM collection_generations WHERE collection_id = %s AND generation = ANY(%s) AND state = 'building'",
        [collection_id, generations],
    )


def list_vanished(connection: Connection, collection_id: str, before: int, after: int) -> list[str]:
    """Return the ids of the documents that one generation has and a later one has not."""
    rows = dict_rows(
        connection,
        "SELECT document_id FROM document_keys WHERE collection_id = %(collection)s AND generation = %(before)s"
        " EXCEPT SELECT document_id FROM document_keys WHERE collection_id = %(collection)s"
        " AND generation = %(after)s",
        {"collection": collection_id, "before": before, "after": after},
    )
    return [row["document_id"] for row in rows]
