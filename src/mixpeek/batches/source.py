"""The rows of a chunk: from which stored things they come."""

from __future__ import annotations

from mixpeek.batches.models import Chunk, Row
from mixpeek.batches.rows import Recipe, rows_from_object
from mixpeek.catalog.queries import find_objects
from mixpeek.db.pool import Connection


def rows_of_chunk(connection: Connection, chunk: Chunk, recipe: Recipe) -> list[Row]:
    """Return the rows to run, in order; of a chunk that is a retry only those that failed before."""
    rows = [row for stored in find_objects(connection, chunk.object_ids) for row in rows_from_object(stored, recipe)]
    if chunk.document_ids is None:
        return rows
    wanted = set(chunk.document_ids)
    return [row for row in rows if row.document_id in wanted]
