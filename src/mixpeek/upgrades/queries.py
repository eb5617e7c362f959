"""SQL over what an upgrade touches outside of its collection."""

from __future__ import annotations

from typing import Any

from mixpeek.db.pool import Connection, dict_rows, scalar


def list_retrievers_over(connection: Connection, namespace_id: str, collection_id: str) -> list[dict[str, Any]]:
    """Return id, name and stages of the retrievers that search a collection, by name."""
    return dict_rows(
        connection,
        "SELECT retriever_id, retriever_name, stages FROM retrievers WHERE namespace_id = %s"
        " AND %s = ANY(collection_ids) ORDER BY retriever_name",
        [namespace_id, collection_id],
    )


def count_sources(connection: Connection, source: dict[str, Any]) -> tuple[int, int]:
    """Count the objects, and the documents of other collections, that a collection's source holds, before filters."""
    if source["type"] == "bucket":
        sql = "SELECT count(*) FROM objects WHERE bucket_id = ANY(%s)"
        return int(scalar(connection, sql, [source["bucket_ids"]])), 0
    sql = (
        "SELECT count(*) FROM document_keys k JOIN collections c ON c.collection_id = k.collection_id"
        " AND c.live_generation = k.generation WHERE k.collection_id = ANY(%s)"
    )
    return 0, int(scalar(connection, sql, [source["collection_ids"]]))


def find_building(connection: Connection, collection_id: str) -> int | None:
    """Return a generation that some batch builds, None if there is none."""
    found: int | None = scalar(
        connection,
        "SELECT generation FROM collection_generations WHERE collection_id = %s AND state = 'building'",
        [collection_id],
    )
    return found
