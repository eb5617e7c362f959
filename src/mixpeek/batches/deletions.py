"""What users delete while a batch runs: it is not stored again, and nothing of it is missed.

Sources that are gone are looked for where they were. Documents, which a batch may have stored, be about to store, or
store in another generation, are noted by whoever deletes them (migration 0035) for as long as the batch watches its
collections.
"""

from __future__ import annotations

from collections.abc import Sequence

from mixpeek.batches.models import Checked, Chunk, Row
from mixpeek.db.pool import Connection, dict_rows
from mixpeek.documents.port import Index, NewDocument

# What the chunks `c` hold, `s`, each with whether it is still there. One look into the index per source, which OFFSET
# keeps the planner from changing into a look at everything that is stored.
_OBJECTS = (
    "batch_chunks c CROSS JOIN LATERAL unnest(c.object_ids) s (id) LEFT JOIN LATERAL"
    " (SELECT true AS there FROM objects o WHERE o.object_id = s.id OFFSET 0) found ON true"
)
_DOCUMENTS = (
    "batch_chunks c CROSS JOIN LATERAL unnest(c.document_ids) s (id) LEFT JOIN LATERAL (SELECT true AS there"
    "  FROM document_keys k WHERE k.collection_id = c.source_collection_id AND k.generation = c.source_generation"
    "  AND k.document_id = s.id OFFSET 0) found ON true"
)


def deleted_sources(connection: Connection, chunk: Chunk) -> set[str]:
    """Return those of a chunk's objects, or source documents, that are not there any more."""
    rows = dict_rows(
        connection,
        f"SELECT s.id FROM {_DOCUMENTS if chunk.source_collection_id else _OBJECTS}"
        " WHERE c.batch_id = %s AND c.collection_id = %s AND c.chunk = %s AND there IS NULL",
        [chunk.batch_id, chunk.collection_id, chunk.chunk],
    )
    return {row["id"] for row in rows}


def without(checked: Checked, deleted: set[str]) -> Checked:
    """Return what is left when some sources were never there."""
    if not deleted:
        return checked
    return Checked(
        [document for document in checked.documents if _source(document) not in deleted],
        [outcome for outcome in checked.outcomes if _source(outcome.row) not in deleted],
        checked.parts,
    )


def watch(connection: Connection, batch_id: str) -> None:
    """Have what is deleted from a batch's collections noted from now on; a watch from before begins anew."""
    connection.execute(
        "INSERT INTO document_watches AS w (collection_id, batch_id, since)"
        " SELECT c.collection_id, b.batch_id, COALESCE(d.number, 0) FROM batches b"
        " JOIN collections c ON c.collection_id = ANY(b.collection_ids)"
        " LEFT JOIN document_deletions d ON d.namespace_id = b.namespace_id WHERE b.batch_id = %s"
        " ON CONFLICT (collection_id, batch_id) DO UPDATE SET since = EXCLUDED.since",
        [batch_id],
    )


def unwatch(connection: Connection, batch_id: str) -> None:
    """End a batch's watch, and forget what nobody watches any more."""
    connection.execute("DELETE FROM document_watches WHERE batch_id = %s", [batch_id])
    connection.execute(
        "DELETE FROM document_removals r WHERE NOT EXISTS"
        " (SELECT FROM document_watches w WHERE w.collection_id = r.collection_id)"
    )


def deleted_documents(connection: Connection, index: Index, batch_id: str, document_ids: Sequence[str]) -> set[str]:
    """Return those of the documents that were deleted since a batch, or the one that it mirrors, was begun."""
    rows = dict_rows(
        connection,
        "SELECT DISTINCT r.document_id FROM document_removals r JOIN document_watches w USING (collection_id)"
        " WHERE r.collection_id = %s AND r.generation = %s AND r.document_id = ANY(%s) AND r.number > w.since"
        " AND w.batch_id = (SELECT COALESCE(mirror_of, batch_id) FROM batches WHERE batch_id = %s)",
        [index.collection_id, index.generation, list(document_ids), batch_id],
    )
    return {row["document_id"] for row in rows}


def without_documents(checked: Checked, deleted: set[str]) -> Checked:
    """Return what is left when some documents were never made."""
    if not deleted:
        return checked
    kept = [document for document in checked.documents if document.document_id not in deleted]
    return Checked(kept, checked.outcomes, checked.parts)


def _source(made: NewDocument | Row) -> str:
    return made.source_document_id or made.object_id
