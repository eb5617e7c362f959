"""SQL over the rows that did not become documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixpeek.batches.chunk_queries import CHOSEN
from mixpeek.db.pool import Connection, dict_rows


def count_failed(connection: Connection, collection_id: str, generation: int) -> dict[str, int]:
    """Count the rows that failed in batches that fill just this generation, by cause."""
    rows = dict_rows(
        connection,
        "SELECT o.cause, count(*)::int AS n FROM batches b JOIN row_outcomes o USING (batch_id)"
        " WHERE b.fills = %s AND o.collection_id = %s AND o.outcome = 'failed'"
        " AND %s = ANY(b.collection_ids) AND NOT EXISTS (SELECT FROM document_keys k WHERE k.collection_id ="
        "  o.collection_id AND k.generation = b.fills AND k.document_id = o.document_id)"
        " GROUP BY o.cause ORDER BY n DESC",
        [generation, collection_id, collection_id],
    )
    return {row["cause"]: row["n"] for row in rows}


def count_causes(connection: Connection, batch_id: str, collection_ids: list[str] | None = None) -> dict[str, int]:
    rows = dict_rows(
        connection,
        f"SELECT cause, count(*)::int AS n FROM row_outcomes c WHERE {CHOSEN} GROUP BY cause ORDER BY n DESC",
        {"batch": batch_id, "collections": collection_ids},
    )
    return {row["cause"]: row["n"] for row in rows}


def first_outcome(connection: Connection, batch_id: str, collection_ids: list[str]) -> dict[str, Any] | None:
    """Return the first row, in the order they were run, that did not become a document; a failed one if any did."""
    rows = dict_rows(
        connection,
        f"SELECT document_id, cause, message FROM row_outcomes c WHERE {CHOSEN}"
        " ORDER BY outcome, chunk, document_id LIMIT 1",
        {"batch": batch_id, "collections": collection_ids},
    )
    return rows[0] if rows else None


def list_outcomes(
    connection: Connection,
    batch_id: str,
    limit: int,
    *,
    after: tuple[str, str] = ("", ""),
    offset: int = 0,
    collection_ids: Sequence[str] | None = None,
    outcome: str | None = None,
) -> list[dict[str, Any]]:
    """Return rows that did not become documents, by (collection, document) id, those behind `after`."""
    return dict_rows(
        connection,
        "SELECT collection_id, document_id, object_id, blob_id, outcome, cause, message, details, retries"
        " FROM row_outcomes WHERE batch_id = %(batch)s AND (collection_id, document_id) > (%(c)s, %(d)s)"
        " AND (%(collections)s::text[] IS NULL OR collection_id = ANY(%(collections)s))"
        " AND (%(outcome)s::text IS NULL OR outcome = %(outcome)s)"
        " ORDER BY collection_id, document_id LIMIT %(limit)s OFFSET %(offset)s",
        {
            "batch": batch_id,
            "c": after[0],
            "d": after[1],
            "collections": None if collection_ids is None else list(collection_ids),
            "outcome": outcome,
            "limit": limit,
            "offset": offset,
        },
    )
