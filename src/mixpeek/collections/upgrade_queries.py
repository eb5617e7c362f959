"""SQL over upgrades, and over the generations that one keeps beside each other."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.collections.models import Upgrade
from mixpeek.collections.upgrade_states import OPEN, State, list_before
from mixpeek.db.pool import Connection, dict_rows, first_row, insert_new

UPGRADE = (
    "SELECT upgrade_id, namespace_id, collection_id, state, from_generation, to_generation, from_plugin_id,"
    " to_plugin_id, from_version, batch_id, task_id, error, behind, comparison, timeline, created_at, updated_at"
    " FROM collection_upgrades"
)


def insert_upgrade(connection: Connection, upgrade: dict[str, Any]) -> bool:
    """Insert an upgrade that is BUILDING; False when its collection has an open one."""
    inserted = insert_new(connection, "collection_upgrades", upgrade, ())
    if inserted:
        _note_state(connection, upgrade["upgrade_id"], State.BUILDING)
    return inserted


def find_upgrade(connection: Connection, collection_id: str, *, lock: bool = False) -> Upgrade | None:
    """Return the newest upgrade of a collection, open or ended."""
    suffix = " FOR UPDATE" if lock else ""
    return first_row(
        connection,
        Upgrade,
        f"{UPGRADE} WHERE collection_id = %s ORDER BY created_at DESC LIMIT 1{suffix}",
        [collection_id],
    )


def find_upgrade_of_batch(connection: Connection, batch_id: str) -> Upgrade | None:
    """Return the upgrade that a batch builds, held until the transaction ends; None if it builds none."""
    return first_row(connection, Upgrade, f"{UPGRADE} WHERE batch_id = %s FOR UPDATE", [batch_id])


def move(connection: Connection, upgrade_id: str, state: State, error: str | None = None) -> bool:
    """Set an upgrade's state; False if it may not go there from the state it is in."""
    moved = connection.execute(
        "UPDATE collection_upgrades SET state = %s, error = %s, updated_at = now()"
        " WHERE upgrade_id = %s AND state = ANY(%s)",
        [state, error, upgrade_id, list_before(state)],
    ).rowcount
    if moved:
        _note_state(connection, upgrade_id, state)
    return moved == 1


def _note_state(connection: Connection, upgrade_id: str, state: State) -> None:
    connection.execute(
        "UPDATE collection_upgrades SET timeline = timeline || jsonb_build_array(jsonb_build_object("
        " 'state', %s::text, 'at', clock_timestamp())) WHERE upgrade_id = %s",
        [state, upgrade_id],
    )


def note_behind(connection: Connection, collection_id: str, why: str) -> None:
    """Note on a collection's open upgrade why one of its generations lacks what the other has."""
    connection.execute(
        "UPDATE collection_upgrades SET behind = %s, updated_at = now() WHERE collection_id = %s AND state = ANY(%s)",
        [why, collection_id, sorted(OPEN)],
    )


def set_comparison(connection: Connection, upgrade_id: str, comparison: dict[str, Any]) -> None:
    connection.execute(
        "UPDATE collection_upgrades SET comparison = %s, updated_at = now() WHERE upgrade_id = %s",
        [Jsonb(comparison), upgrade_id],
    )


def list_written(connection: Connection, collection_id: str) -> list[int]:
    """Return the generations of a collection that every write goes to; none is added until the transaction ends."""
    connection.execute("SELECT FROM collections WHERE collection_id = %s FOR SHARE", [collection_id])
    rows = dict_rows(
        connection,
        "SELECT generation FROM collection_generations WHERE collection_id = %s"
        " AND state NOT IN ('retired', 'dropping') ORDER BY generation",
        [collection_id],
    )
    return [row["generation"] for row in rows]


def set_state(connection: Connection, collection_id: str, generation: int, state: str) -> None:
    connection.execute(
        "UPDATE collection_generations SET state = %s WHERE collection_id = %s AND generation = %s",
        [state, collection_id, generation],
    )


def make_live(
    connection: Connection, collection_id: str, generation: int, schema: dict[str, Any], version: str | None
) -> None:
    """Have another generation searched, the one before kept, in the caller's transaction.

    Args: version: what the collection asks of its extractor from now on; None follows the active one.
    """
    connection.execute(
        "UPDATE collections c SET live_generation = %(to)s, output_schema = %(schema)s, updated_at = now(),"
        " feature_extractor = jsonb_set(feature_extractor, '{version}', %(version)s),"
        " former_features = ARRAY(SELECT DISTINCT uri FROM (SELECT unnest(c.former_features) AS uri UNION"
        "  SELECT f->>'feature_uri' FROM collection_generations g CROSS JOIN jsonb_array_elements(g.features) f"
        "  WHERE g.collection_id = c.collection_id AND g.generation = c.live_generation) known ORDER BY uri)"
        " WHERE collection_id = %(collection)s",
        {"collection": collection_id, "to": generation, "schema": Jsonb(schema), "version": Jsonb(version)},
    )
    connection.execute(
        "UPDATE collection_generations SET state = CASE generation WHEN %(to)s THEN 'live' ELSE 'kept' END"
        " WHERE collection_id = %(collection)s AND (generation = %(to)s OR state = 'live')",
        {"collection": collection_id, "to": generation},
    )


def delete_dropped(connection: Connection, collection_id: str, generation: int) -> None:
    """Delete a generation that was given up, with whatever came to it since its documents were removed."""
    connection.execute(
        "DELETE FROM collection_generations WHERE collection_id = %s AND generation = %s AND state = 'dropping'",
        [collection_id, generation],
    )


def count_keys(connection: Connection, collection_id: str, one: int, other: int) -> dict[str, int]:
    """Count the documents of two generations: how many each has, and how many only one of them has."""
    return dict_rows(
        connection,
        "SELECT count(a) AS before, count(b) AS after, count(*) FILTER (WHERE b IS NULL) AS only_before,"
        " count(*) FILTER (WHERE a IS NULL) AS only_after"
        " FROM (SELECT document_id AS a FROM document_keys WHERE collection_id = %(collection)s"
        "  AND generation = %(one)s) x FULL JOIN (SELECT document_id AS b FROM document_keys"
        "  WHERE collection_id = %(collection)s AND generation = %(other)s) y ON a = b",
        {"collection": collection_id, "one": one, "other": other},
    )[0]


def list_only_in(connection: Connection, collection_id: str, one: int, other: int, limit: int) -> list[str]:
    """Return ids of documents that one generation has and another has not."""
    rows = dict_rows(
        connection,
        "SELECT document_id FROM document_keys k WHERE collection_id = %(collection)s AND generation = %(one)s"
        " AND NOT EXISTS (SELECT FROM document_keys o WHERE o.collection_id = k.collection_id"
        "  AND o.generation = %(other)s AND o.document_id = k.document_id) ORDER BY document_id LIMIT %(limit)s",
        {"collection": collection_id, "one": one, "other": other, "limit": limit},
    )
    return [row["document_id"] for row in rows]


def sample_shared(connection: Connection, collection_id: str, one: int, other: int, limit: int) -> list[str]:
    """Return ids of documents that both generations have and an extractor made: the same ones every time, at random."""
    rows = dict_rows(
        connection,
        "SELECT document_id FROM documents d WHERE collection_id = %(collection)s AND generation = %(one)s"
        " AND batch_id <> '' AND EXISTS (SELECT FROM document_keys o WHERE o.collection_id = d.collection_id"
        "  AND o.generation = %(other)s AND o.document_id = d.document_id) ORDER BY md5(document_id) LIMIT %(limit)s",
        {"collection": collection_id, "one": one, "other": other, "limit": limit},
    )
    return [row["document_id"] for row in rows]
