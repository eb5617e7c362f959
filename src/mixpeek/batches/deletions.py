"""Sources that users delete while a batch runs them: nothing made of them is stored, and nothing of it is missed."""

from __future__ import annotations

from mixpeek.batches.models import Checked, Chunk, Row
from mixpeek.db.pool import Connection, dict_rows, scalar
from mixpeek.documents.port import NewDocument

# What chunks `c` hold that is not there any more.
_GONE_OBJECTS = "NOT EXISTS (SELECT FROM objects o WHERE o.object_id = s.id)"
_GONE_DOCUMENTS = (
    "NOT EXISTS (SELECT FROM document_keys k WHERE k.collection_id = c.source_collection_id"
    " AND k.generation = c.source_generation AND k.document_id = s.id)"
)


def deleted_sources(connection: Connection, chunk: Chunk) -> set[str]:
    """Return those of a chunk's objects, or source documents, that are not there any more."""
    held, gone = ("document_ids", _GONE_DOCUMENTS) if chunk.source_collection_id else ("object_ids", _GONE_OBJECTS)
    rows = dict_rows(
        connection,
        f"SELECT s.id FROM batch_chunks c CROSS JOIN LATERAL unnest(c.{held}) s (id)"
        f" WHERE c.batch_id = %s AND c.collection_id = %s AND c.chunk = %s AND {gone}",
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
    found = scalar(
        connection,
        "SELECT (SELECT count(*) FROM batch_chunks c CROSS JOIN LATERAL unnest(c.object_ids) s (id)"
        f"  WHERE c.batch_id = %(batch)s AND c.collection_id = ANY(%(collections)s) AND {_GONE_OBJECTS})"
        " + (SELECT count(*) FROM batch_chunks c CROSS JOIN LATERAL unnest(c.document_ids) s (id)"
        f"  WHERE c.batch_id = %(batch)s AND c.collection_id = ANY(%(collections)s) AND {_GONE_DOCUMENTS})",
        {"batch": batch_id, "collections": collection_ids},
    )
    return int(found)


def _source(made: NewDocument | Row) -> str:
    return made.source_document_id or made.object_id
