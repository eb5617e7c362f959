"""SQL over batches, their chunks and row outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.batches.models import Batch, Chunk, Outcome
from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, scalar

BATCH = (
    "SELECT batch_id, namespace_id, type, bucket_ids, collection_ids, object_ids, snapshot, status, error,"
    " error_summary, metadata, task_id, created_at, updated_at FROM batches"
)


def insert_batch(connection: Connection, batch: dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO batches (batch_id, namespace_id, bucket_ids, collection_ids, object_ids, snapshot, status,"
        " task_id) VALUES (%(batch_id)s, %(namespace_id)s, %(bucket_ids)s, %(collection_ids)s, %(object_ids)s,"
        " %(snapshot)s, %(status)s, %(task_id)s)",
        batch,
    )


def find_batch(connection: Connection, batch_id: str, *, lock: bool = False) -> Batch | None:
    suffix = " FOR UPDATE" if lock else ""
    return first_row(connection, Batch, f"{BATCH} WHERE batch_id = %s{suffix}", [batch_id])


def find_bucket_batch(
    connection: Connection, namespace_id: str, bucket_id: str, batch_id: str, *, lock: bool = False
) -> Batch | None:
    suffix = " FOR UPDATE" if lock else ""
    return first_row(
        connection,
        Batch,
        f"{BATCH} WHERE namespace_id = %s AND batch_id = %s AND %s = ANY(bucket_ids){suffix}",
        [namespace_id, batch_id, bucket_id],
    )


def start_batch(connection: Connection, batch_id: str, task_id: str, snapshot: int) -> None:
    connection.execute(
        "UPDATE batches SET status = 'PENDING', task_id = %s, snapshot = %s, updated_at = now() WHERE batch_id = %s",
        [task_id, snapshot, batch_id],
    )


def highest_sequence(connection: Connection, bucket_ids: list[str]) -> int:
    """Return the newest object's sequence, the snapshot of what a batch will run over; 0 when there is none."""
    found = scalar(connection, "SELECT COALESCE(max(sequence), 0) FROM objects WHERE bucket_id = ANY(%s)", [bucket_ids])
    return int(found)


def count_objects(connection: Connection, batch: Batch) -> int:
    """Count the objects of a batch: those of its buckets up to its snapshot, or the chosen ones among them."""
    found = scalar(
        connection,
        "SELECT count(*) FROM objects WHERE bucket_id = ANY(%(buckets)s) AND sequence <= %(snapshot)s"
        " AND (%(objects)s::text[] IS NULL OR object_id = ANY(%(objects)s))",
        {"buckets": batch.bucket_ids, "snapshot": batch.snapshot, "objects": batch.object_ids},
    )
    return int(found)


def plan_chunks(connection: Connection, batch: Batch, collection_id: str, generation: int, size: int) -> None:
    """Cut the batch's objects into chunks of `size`, in creation order; planning twice changes nothing."""
    connection.execute(
        "INSERT INTO batch_chunks (batch_id, collection_id, generation, chunk, object_ids)"
        " SELECT %(batch)s, %(collection)s, %(generation)s, place / %(size)s, array_agg(object_id ORDER BY place)"
        " FROM (SELECT object_id, row_number() OVER (ORDER BY sequence) - 1 AS place FROM objects"
        "  WHERE bucket_id = ANY(%(buckets)s) AND sequence <= %(snapshot)s"
        "  AND (%(objects)s::text[] IS NULL OR object_id = ANY(%(objects)s))) placed"
        " GROUP BY place / %(size)s ON CONFLICT DO NOTHING",
        {
            "batch": batch.batch_id,
            "collection": collection_id,
            "generation": generation,
            "size": size,
            "buckets": batch.bucket_ids,
            "snapshot": batch.snapshot,
            "objects": batch.object_ids,
        },
    )


def set_status(connection: Connection, batch_id: str, status: str) -> None:
    connection.execute("UPDATE batches SET status = %s, updated_at = now() WHERE batch_id = %s", [status, batch_id])


def list_open_chunks(connection: Connection, batch_id: str, collection_id: str) -> list[Chunk]:
    """Return the chunks not committed yet, in order: where a resumed batch goes on."""
    return all_rows(
        connection,
        Chunk,
        "SELECT batch_id, collection_id, generation, chunk, object_ids FROM batch_chunks"
        " WHERE batch_id = %s AND collection_id = %s AND committed_at IS NULL ORDER BY chunk",
        [batch_id, collection_id],
    )


def commit_chunk(connection: Connection, chunk: Chunk, rows: int, written: int, outcomes: Sequence[Outcome]) -> bool:
    """Record a chunk as done with the outcome of every row that was not written; False if it was done before."""
    skipped = sum(1 for outcome in outcomes if outcome.outcome == "skipped")
    cursor = connection.execute(
        "UPDATE batch_chunks SET committed_at = now(), rows = %s, written = %s, skipped = %s, failed = %s"
        " WHERE batch_id = %s AND collection_id = %s AND chunk = %s AND committed_at IS NULL",
        [rows, written, skipped, len(outcomes) - skipped, chunk.batch_id, chunk.collection_id, chunk.chunk],
    )
    if cursor.rowcount != 1:
        return False
    with connection.cursor() as many:
        many.executemany(
            "INSERT INTO row_outcomes (batch_id, collection_id, chunk, document_id, object_id, blob_id, outcome, cause,"
            " message, details) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (chunk.batch_id, chunk.collection_id, chunk.chunk, o.row.document_id, o.row.object_id, o.row.blob_id,
                 o.outcome, o.cause, o.message, Jsonb(o.details))
                for o in outcomes
            ],
        )  # fmt: skip
    return True


def totals(connection: Connection, batch_id: str) -> dict[str, int]:
    """Return the batch's counts so far: objects and chunks planned, chunks committed, rows by outcome."""
    return dict_rows(
        connection,
        "SELECT count(*)::int AS chunks, count(committed_at)::int AS chunks_committed,"
        " COALESCE(sum(cardinality(object_ids)), 0)::int AS objects,"
        " COALESCE(sum(cardinality(object_ids)) FILTER (WHERE committed_at IS NOT NULL), 0)::int AS objects_committed,"
        " COALESCE(sum(rows), 0)::int AS rows, COALESCE(sum(written), 0)::int AS written,"
        " COALESCE(sum(skipped), 0)::int AS skipped, COALESCE(sum(failed), 0)::int AS failed"
        " FROM batch_chunks WHERE batch_id = %s",
        [batch_id],
    )[0]


def count_stored(connection: Connection, batch_id: str) -> int:
    """Count the documents in the store that belong to this batch's objects, whichever batch wrote them last."""
    found = scalar(
        connection,
        "SELECT count(*) FROM batch_chunks c CROSS JOIN LATERAL unnest(c.object_ids) o (object_id)"
        " JOIN documents d ON d.collection_id = c.collection_id AND d.generation = c.generation"
        " AND d.object_id = o.object_id WHERE c.batch_id = %s",
        [batch_id],
    )
    return int(found)


def count_causes(connection: Connection, batch_id: str) -> dict[str, int]:
    rows = dict_rows(
        connection,
        "SELECT cause, count(*)::int AS n FROM row_outcomes WHERE batch_id = %s GROUP BY cause ORDER BY n DESC",
        [batch_id],
    )
    return {row["cause"]: row["n"] for row in rows}


def list_outcomes(connection: Connection, batch_id: str, limit: int, offset: int) -> list[dict[str, Any]]:
    return dict_rows(
        connection,
        "SELECT collection_id, document_id, object_id, blob_id, outcome, cause, message, details FROM row_outcomes"
        " WHERE batch_id = %s ORDER BY chunk, document_id LIMIT %s OFFSET %s",
        [batch_id, limit, offset],
    )


def finish_batch(
    connection: Connection, batch_id: str, status: str, error: str | None, error_summary: dict[str, int]
) -> None:
    connection.execute(
        "UPDATE batches SET status = %s, error = %s, error_summary = %s, updated_at = now() WHERE batch_id = %s",
        [status, error, Jsonb(error_summary), batch_id],
    )


def count_by_bucket(connection: Connection, namespace_id: str, bucket_ids: list[str]) -> dict[str, dict[str, int]]:
    """Return for each of these buckets that any batch ran over how many there were, and how they stand."""
    rows = dict_rows(
        connection,
        "SELECT bucket_id, count(*)::int AS total,"
        " count(*) FILTER (WHERE status IN ('PENDING', 'IN_PROGRESS', 'PROCESSING'))::int AS active,"
        " count(*) FILTER (WHERE status IN ('COMPLETED', 'COMPLETED_WITH_ERRORS'))::int AS completed,"
        " count(*) FILTER (WHERE status = 'FAILED')::int AS failed"
        " FROM batches CROSS JOIN LATERAL unnest(bucket_ids) AS over (bucket_id)"
        " WHERE namespace_id = %(namespace)s AND bucket_ids && %(buckets)s AND bucket_id = ANY(%(buckets)s)"
        " GROUP BY bucket_id",
        {"namespace": namespace_id, "buckets": bucket_ids},
    )
    return {row.pop("bucket_id"): row for row in rows}
