"""SQL over what a batch writes beside the live generation: it fills another, or repeats itself in it."""

from __future__ import annotations

from typing import LiteralString

from mixpeek.batches.models import Batch
from mixpeek.batches.progress_queries import note_end
from mixpeek.db.pool import Connection, dict_rows, new_id


def renew_snapshot(connection: Connection, batch_id: str) -> None:
    """Have a batch that is being planned run over all its buckets hold by now."""
    connection.execute(
        "UPDATE batches SET snapshot = (SELECT COALESCE(max(sequence), 0) FROM objects WHERE bucket_id ="
        " ANY(bucket_ids)) WHERE batch_id = %s",
        [batch_id],
    )


def follow_live(connection: Connection, batch_id: str, collection_id: str) -> None:
    """Have chunks still open, whose generation was dropped since they were planned, fill the one searched by now."""
    connection.execute(
        "UPDATE batch_chunks c SET generation = l.live_generation FROM collections l WHERE c.batch_id = %s"
        " AND c.collection_id = %s AND c.committed_at IS NULL AND l.collection_id = c.collection_id AND NOT EXISTS"
        " (SELECT FROM collection_generations g WHERE g.collection_id = c.collection_id"
        "  AND g.generation = c.generation AND g.state <> 'dropping')",
        [batch_id, collection_id],
    )


def list_filled(connection: Connection, batch_id: str, collection_id: str) -> list[int]:
    """Return the generations of a collection that all the chunks of a batch were written to."""
    rows = dict_rows(
        connection,
        "SELECT DISTINCT generation FROM batch_chunks WHERE batch_id = %s AND collection_id = %s",
        [batch_id, collection_id],
    )
    return [row["generation"] for row in rows] if len(rows) == 1 else []


def open_mirror(connection: Connection, batch: Batch, task_id: str, collection_id: str, generation: int) -> str | None:
    """Return the batch that repeats in another generation what a batch has written of a collection in this task.

    It is made by the first call, with the same chunks; none of it is shown. None once it has ended, with a status that
    no event is told of.
    """
    found = dict_rows(
        connection,
        "SELECT batch_id, status FROM batches WHERE mirror_of = %s AND task_id = %s AND collection_ids = %s"
        " AND fills = %s",
        [batch.batch_id, task_id, [collection_id], generation],
    )
    if found:
        return str(found[0]["batch_id"]) if found[0]["status"] == "IN_PROGRESS" else None
    mirror_id = new_id("btch", 12)
    connection.execute(
        "INSERT INTO batches (batch_id, namespace_id, type, bucket_ids, collection_ids, object_ids, snapshot, status,"
        " task_id, source_collection_ids, fills, mirror_of, created_at) SELECT %(mirror)s, namespace_id, type,"
        " bucket_ids, %(collections)s, '{}', snapshot, 'IN_PROGRESS', %(task)s, source_collection_ids, %(generation)s,"
        " batch_id, created_at FROM batches WHERE batch_id = %(batch)s",
        {"mirror": mirror_id, "collections": [collection_id], "task": task_id, "generation": generation,
         "batch": batch.batch_id},
    )  # fmt: skip
    connection.execute("INSERT INTO batch_progress (batch_id, started_at) VALUES (%s, now())", [mirror_id])
    connection.execute(
        "INSERT INTO batch_chunks (batch_id, collection_id, generation, chunk, object_ids, document_ids,"
        " source_collection_id, source_generation, row_ids) SELECT %(mirror)s, collection_id, %(generation)s, chunk,"
        " object_ids, document_ids, source_collection_id, source_generation, row_ids FROM batch_chunks"
        " WHERE batch_id = %(batch)s AND collection_id = %(collection)s AND generation <> %(generation)s"
        " AND committed_at >= (SELECT created_at FROM tasks WHERE task_id = %(task)s)",
        {"mirror": mirror_id, "generation": generation, "batch": batch.batch_id, "collection": collection_id,
         "task": task_id},
    )  # fmt: skip
    return mirror_id


def end_mirror(connection: Connection, mirror_id: str, error: str | None) -> None:
    connection.execute(
        "UPDATE batches SET status = 'MIRRORED', error = %s, updated_at = now() WHERE batch_id = %s",
        [error, mirror_id],
    )
    note_end(connection, mirror_id)


def written_by_others(
    connection: Connection, collection_id: str, generation: int, batch_id: str, *, source_ids: list[str], of: str
) -> set[str]:
    """Return the sources of which another batch has written documents in a generation that is being built.

    Until the transaction ends, no other one that asks stores anything in this generation.

    Args: of: `object` or `document`, what the sources are.
    """
    connection.execute(
        "SELECT FROM collection_generations WHERE collection_id = %s AND generation = %s FOR NO KEY UPDATE",
        [collection_id, generation],
    )
    column: LiteralString = "source_document_id" if of == "document" else "object_id"
    rows = dict_rows(
        connection,
        f"SELECT DISTINCT {column} AS id FROM documents WHERE collection_id = %s AND generation = %s"
        f" AND {column} = ANY(%s) AND batch_id NOT IN (%s, '')",
        [collection_id, generation, source_ids, batch_id],
    )
    return {row["id"] for row in rows}
