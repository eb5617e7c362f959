"""Sources that users delete while a batch runs them: nothing made of them is stored, and nothing of it is missed."""

from __future__ import annotations

from mixpeek.batches.models import Checked, Chunk, Row
from mixpeek.db.pool import Connection, dict_rows, scalar
from mixpeek.documents.port import NewDocument

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


def count_deleted(connection: Connection, batch_id: str, collection_ids: list[str]) -> int:
    """Return how many of the sources of some of a batch's collections are not there any more."""
    chosen = "c.batch_id = %(batch)s AND c.collection_id = ANY(%(collections)s) AND there IS NULL"
    found = scalar(
        connection,
        f"SELECT (SELECT count(*) FROM {_OBJECTS} WHERE {chosen}) + (SELECT count(*) FROM {_DOCUMENTS} WHERE {chosen})",
        {"batch": batch_id, "collections": collection_ids},
    )
    return int(found)


def _source(made: NewDocument | Row) -> str:
    return made.source_document_id or made.object_id
