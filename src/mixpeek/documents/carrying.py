"""What users made and set in one generation of a collection, on its way to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixpeek.db.pool import Connection, dict_rows
from mixpeek.documents.port import Index, NewDocument
from mixpeek.documents.value_marks import marks_of


def made_by_users(connection: Connection, before: Index, after: Index) -> list[NewDocument]:
    """Return the documents that no batch made and that only the first of two generations has."""
    rows = dict_rows(
        connection,
        "SELECT document_id, batch_id, object_id, payload, internal, source_document_id, row_id, position"
        " FROM documents d WHERE collection_id = %(collection)s AND generation = %(before)s AND batch_id = ''"
        " AND NOT EXISTS (SELECT FROM document_keys k WHERE k.collection_id = d.collection_id"
        "  AND k.generation = %(after)s AND k.document_id = d.document_id)",
        _places(before, after),
    )
    return [NewDocument(**row) for row in rows]


def repeat_edits(connection: Connection, before: Index, after: Index) -> dict[str, dict[str, Any]]:
    """Set in one generation what users set in another; return what the documents hold by now, by id."""
    rows = dict_rows(
        connection,
        "UPDATE documents n SET payload = (o.edits - ARRAY(SELECT jsonb_object_keys(n.payload))) || n.payload,"
        " edits = (o.edits - ARRAY(SELECT jsonb_object_keys(n.payload))) || n.edits"
        " FROM documents o WHERE o.collection_id = %(collection)s AND o.generation = %(before)s AND o.edits <> '{}'"
        " AND n.collection_id = o.collection_id AND n.generation = %(after)s AND n.document_id = o.document_id"
        " RETURNING n.document_id, n.payload",
        _places(before, after),
    )
    return {row["document_id"]: row["payload"] for row in rows}


def mark_again(connection: Connection, index: Index, document_ids: Sequence[str]) -> None:
    """Give documents the marks of the values that they hold by now."""
    place = [index.collection_id, index.generation]
    rows = dict_rows(
        connection,
        "SELECT document_id, payload, internal FROM documents"
        " WHERE collection_id = %s AND generation = %s AND document_id = ANY(%s)",
        [*place, list(document_ids)],
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE documents SET value_marks = %s::integer[]"
            " WHERE collection_id = %s AND generation = %s AND document_id = %s",
            [(marks_of(index, row["payload"], row["internal"]), *place, row["document_id"]) for row in rows],
        )


def _places(before: Index, after: Index) -> dict[str, Any]:
    return {"collection": before.collection_id, "before": before.generation, "after": after.generation}
