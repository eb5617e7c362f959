"""SQL over batches, their chunks and row outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.batches.models import Batch, Chunk, Outcome
from mixpeek.batches.progress import eta_s
from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, scalar
from mixpeek.errors import PlatformError

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
    connection.execute("INSERT INTO batch_progress (batch_id) VALUES (%s)", [batch["batch_id"]])


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


def restart_batch(connection: Connection, batch_id: str, task_id: str) -> None:
    """Have another task carry on a batch that has ended."""
    connection.execute(
        "UPDATE batches SET status = 'PENDING', task_id = %s, error = NULL, updated_at = now() WHERE batch_id = %s",
        [task_id, batch_id],
    )
    connection.execute(
        "UPDATE batch_progress SET finished_at = NULL, rows_per_s = NULL, updated_at = now() WHERE batch_id = %s",
        [batch_id],
    )


def add_objects(connection: Connection, batch_id: str, object_ids: list[str]) -> None:
    """Add objects to a batch's own, each once, in the order given."""
    connection.execute(
        "UPDATE batches SET object_ids = object_ids || ARRAY(SELECT added FROM unnest(%s::text[])"
        " WITH ORDINALITY a (added, place) WHERE added <> ALL(object_ids) ORDER BY place), updated_at = now()"
        " WHERE batch_id = %s",
        [object_ids, batch_id],
    )


def list_batches(
    connection: Connection,
    namespace_id: str,
    bucket_id: str,
    status: str | None,
    limit: int,
    after: str,
    offset: int = 0,
) -> list[Batch]:
    """Return the batches over a bucket, newest first, those behind the batch `after`."""
    return all_rows(
        connection,
        Batch,
        f"{BATCH} WHERE namespace_id = %(namespace)s AND %(bucket)s = ANY(bucket_ids)"
        " AND (%(status)s::text IS NULL OR status = %(status)s) AND (%(after)s = '' OR (created_at, batch_id) <"
        "  (SELECT b.created_at, b.batch_id FROM batches b WHERE b.batch_id = %(after)s))"
        " ORDER BY created_at DESC, batch_id DESC LIMIT %(limit)s OFFSET %(offset)s",
        {
            "namespace": namespace_id,
            "bucket": bucket_id,
            "status": status,
            "after": after,
            "limit": limit,
            "offset": offset,
        },
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


def count_planned(connection: Connection, batch_id: str) -> None:
    """Note how many chunks and objects a batch has, once they are planned; counting twice changes nothing."""
    connection.execute(
        "UPDATE batch_progress p SET chunks = c.chunks, objects = c.objects, updated_at = now() FROM"
        " (SELECT count(*) AS chunks, COALESCE(sum(cardinality(object_ids)), 0) AS objects FROM batch_chunks"
        "  WHERE batch_id = %(batch)s) c WHERE p.batch_id = %(batch)s",
        {"batch": batch_id},
    )


def begin_batch(connection: Connection, batch_id: str, task_id: str) -> bool:
    """Set a batch IN_PROGRESS for its task; False if it has ended or belongs to another task by now."""
    cursor = connection.execute(
        "UPDATE batches SET status = 'IN_PROGRESS', updated_at = now()"
        " WHERE batch_id = %s AND task_id = %s AND status IN ('PENDING', 'IN_PROGRESS')",
        [batch_id, task_id],
    )
    if cursor.rowcount == 1:
        connection.execute(
            "UPDATE batch_progress SET started_at = COALESCE(started_at, now()) WHERE batch_id = %s", [batch_id]
        )
    return cursor.rowcount == 1


def is_running(connection: Connection, batch_id: str, task_id: str) -> bool:
    """Tell whether a batch is IN_PROGRESS for this task; until the transaction ends, it stays so."""
    found = scalar(
        connection,
        "SELECT true FROM batches WHERE batch_id = %s AND task_id = %s AND status = 'IN_PROGRESS' FOR SHARE",
        [batch_id, task_id],
    )
    return bool(found)


def list_open_chunks(connection: Connection, batch_id: str, collection_id: str) -> list[int]:
    """Return the numbers of the chunks not committed yet, in order: where a resumed batch goes on."""
    rows = dict_rows(
        connection,
        "SELECT chunk FROM batch_chunks WHERE batch_id = %s AND collection_id = %s AND committed_at IS NULL"
        " ORDER BY chunk",
        [batch_id, collection_id],
    )
    return [row["chunk"] for row in rows]


def get_chunk(connection: Connection, batch_id: str, collection_id: str, number: int) -> Chunk:
    """Return a chunk with its objects."""
    found = first_row(
        connection,
        Chunk,
        "SELECT batch_id, collection_id, generation, chunk, object_ids, document_ids FROM batch_chunks"
        " WHERE batch_id = %s AND collection_id = %s AND chunk = %s",
        [batch_id, collection_id, number],
    )
    if found is None:
        raise PlatformError(f"Chunk {number} of batch {batch_id} was deleted while the batch ran")
    return found


def plan_retries(
    connection: Connection,
    batch_id: str,
    collection_ids: list[str],
    causes: Sequence[str] | None,
    most_retries: int,
    size: int,
) -> int:
    """Cut the rows that failed into chunks of their own, by at most `size` rows; return how many rows these are.

    Args: causes: the only causes to try again; None for all. most_retries: rows tried again so often are left out.
    """
    chosen = {
        "batch": batch_id,
        "collections": collection_ids,
        "causes": None if causes is None else list(causes),
        "most": most_retries,
        "size": size,
    }
    # What an earlier retry planned and did not run: its rows are still among the failed ones.
    connection.execute(
        "DELETE FROM batch_chunks WHERE batch_id = %s AND document_ids IS NOT NULL AND committed_at IS NULL", [batch_id]
    )
    connection.execute(
        "WITH last AS (SELECT collection_id, max(chunk) AS chunk, max(generation) AS generation FROM batch_chunks"
        "  WHERE batch_id = %(batch)s GROUP BY collection_id),"
        " failed AS (SELECT o.collection_id, o.object_id, o.document_id, (row_number() OVER (PARTITION BY"
        "  o.collection_id ORDER BY o.chunk, o.document_id) - 1) / %(size)s AS place FROM row_outcomes o"
        "  WHERE o.batch_id = %(batch)s AND o.outcome = 'failed' AND o.collection_id = ANY(%(collections)s)"
        "  AND (%(causes)s::text[] IS NULL OR o.cause = ANY(%(causes)s)) AND o.retries < %(most)s)"
        " INSERT INTO batch_chunks (batch_id, collection_id, generation, chunk, object_ids, document_ids)"
        " SELECT %(batch)s, f.collection_id, l.generation, l.chunk + 1 + f.place, array_agg(DISTINCT f.object_id),"
        "  array_agg(f.document_id) FROM failed f JOIN last l USING (collection_id)"
        " GROUP BY f.collection_id, l.generation, l.chunk, f.place",
        chosen,
    )
    count_planned(connection, batch_id)
    found = scalar(
        connection,
        "SELECT COALESCE(sum(cardinality(document_ids)), 0) FROM batch_chunks"
        " WHERE batch_id = %s AND document_ids IS NOT NULL AND committed_at IS NULL",
        [batch_id],
    )
    return int(found)


def commit_chunk(
    connection: Connection,
    chunk: Chunk,
    rows: int,
    written: int,
    outcomes: Sequence[Outcome],
    rows_per_s: float | None = None,
) -> dict[str, Any] | None:
    """Record a chunk as done with the outcome of every row that was not written; return the batch's counts.

    Of a retry, the outcomes it was made for are replaced. None if the chunk was done before.
    """
    skipped = sum(1 for outcome in outcomes if outcome.outcome == "skipped")
    failed = len(outcomes) - skipped
    cursor = connection.execute(
        "UPDATE batch_chunks SET committed_at = now(), rows = %s, written = %s, skipped = %s, failed = %s"
        " WHERE batch_id = %s AND collection_id = %s AND chunk = %s AND committed_at IS NULL",
        [rows, written, skipped, failed, chunk.batch_id, chunk.collection_id, chunk.chunk],
    )
    if cursor.rowcount != 1:
        return None
    retried = {} if chunk.document_ids is None else _take_outcomes(connection, chunk)
    with connection.cursor() as many:
        many.executemany(
            "INSERT INTO row_outcomes (batch_id, collection_id, chunk, document_id, object_id, blob_id, outcome, cause,"
            " message, details, retries) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (chunk.batch_id, chunk.collection_id, chunk.chunk, o.row.document_id, o.row.object_id, o.row.blob_id,
                 o.outcome, o.cause, o.message, Jsonb(o.details), retried.get(o.row.document_id, -1) + 1)
                for o in outcomes
            ],
        )  # fmt: skip
    return dict_rows(
        connection,
        "UPDATE batch_progress SET chunks_committed = chunks_committed + 1,"
        " objects_committed = objects_committed + %(objects)s, rows = rows + %(rows)s, written = written + %(written)s,"
        " skipped = skipped + %(skipped)s, failed = failed + %(failed)s, rows_per_s = %(rows_per_s)s,"
        f" updated_at = now() WHERE batch_id = %(batch)s RETURNING {_COUNTS}",
        {
            "batch": chunk.batch_id,
            "objects": len(chunk.object_ids),
            "rows": rows - len(retried),
            "written": written,
            "skipped": skipped,
            "failed": failed - len(retried),
            "rows_per_s": rows_per_s,
        },
    )[0]


def _take_outcomes(connection: Connection, chunk: Chunk) -> dict[str, int]:
    """Delete the outcomes that a retry replaces, all of them failures; return how often each row was tried again."""
    rows = dict_rows(
        connection,
        "DELETE FROM row_outcomes WHERE batch_id = %s AND collection_id = %s AND document_id = ANY(%s)"
        " RETURNING document_id, retries",
        [chunk.batch_id, chunk.collection_id, chunk.document_ids],
    )
    return {row["document_id"]: row["retries"] for row in rows}


_COUNTS = "chunks, chunks_committed, objects, objects_committed, rows, written, skipped, failed"


def totals(connection: Connection, batch_id: str) -> dict[str, int]:
    """Return the batch's counts so far: objects and chunks planned, chunks committed, rows by outcome."""
    return dict_rows(connection, f"SELECT {_COUNTS} FROM batch_progress WHERE batch_id = %s", [batch_id])[0]


def progress(connection: Connection, batch_id: str) -> dict[str, Any]:
    """Return the batch's counts so far with its rate, what is left, and why it waits, if it does."""
    row = dict_rows(
        connection,
        f"SELECT {_COUNTS}, rows_per_s, started_at, finished_at, paused_cause, paused_since, updated_at"
        " FROM batch_progress WHERE batch_id = %s",
        [batch_id],
    )[0]
    cause, since = row.pop("paused_cause"), row.pop("paused_since")
    rate, planned, committed = row["rows_per_s"], row["objects"], row["objects_committed"]
    is_over = row["finished_at"] is not None
    return {
        **row,
        "percentage": round(100.0 * committed / planned, 1) if planned else (100.0 if is_over else 0.0),
        "rows_per_s": None if rate is None else round(rate, 1),
        "eta_s": None if is_over else _rounded(eta_s(planned, committed, row["rows"], rate)),
        "paused": None if cause is None else {"cause": cause, "since": since},
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def set_paused(connection: Connection, batch_id: str, cause: str | None) -> None:
    """Note why a batch waits, since now unless it did for the same cause; None when it goes on."""
    connection.execute(
        "UPDATE batch_progress SET paused_since = CASE WHEN %(cause)s::text IS NULL THEN NULL"
        " WHEN paused_cause = %(cause)s THEN paused_since ELSE now() END, paused_cause = %(cause)s, updated_at = now()"
        " WHERE batch_id = %(batch)s",
        {"cause": cause, "batch": batch_id},
    )


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


def first_outcome(connection: Connection, batch_id: str) -> dict[str, Any] | None:
    """Return the first row, in the order they were run, that did not become a document; a failed one if any did."""
    rows = dict_rows(
        connection,
        "SELECT document_id, cause, message FROM row_outcomes WHERE batch_id = %s"
        " ORDER BY outcome, chunk, document_id LIMIT 1",
        [batch_id],
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


def finish_batch(
    connection: Connection, batch_id: str, task_id: str, status: str, error: str | None, error_summary: dict[str, int]
) -> bool:
    """End a batch that this task carries out; False if it has ended, or belongs to another task, by now."""
    cursor = connection.execute(
        "UPDATE batches SET status = %s, error = %s, error_summary = %s, updated_at = now() WHERE batch_id = %s"
        " AND task_id = %s AND status IN ('PENDING', 'IN_PROGRESS')",
        [status, error, Jsonb(error_summary), batch_id, task_id],
    )
    if cursor.rowcount == 1:
        note_end(connection, batch_id)
    return cursor.rowcount == 1


def cancel_batch(connection: Connection, batch_id: str, task_id: str, error_summary: dict[str, int]) -> None:
    """End a batch as CANCELED, whoever carries it out: a commit under way was waited for, a later one is refused."""
    connection.execute(
        "UPDATE batches SET status = 'CANCELED', task_id = %s, error_summary = %s, updated_at = now()"
        " WHERE batch_id = %s",
        [task_id, Jsonb(error_summary), batch_id],
    )
    note_end(connection, batch_id)


def note_end(connection: Connection, batch_id: str) -> None:
    connection.execute(
        "UPDATE batch_progress SET finished_at = now(), paused_cause = NULL, paused_since = NULL, updated_at = now()"
        " WHERE batch_id = %s",
        [batch_id],
    )


def delete_batch(connection: Connection, batch_id: str) -> None:
    connection.execute("DELETE FROM batches WHERE batch_id = %s", [batch_id])
