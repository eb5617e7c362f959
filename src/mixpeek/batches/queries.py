"""SQL over batches, and over what they are asked to run."""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from mixpeek.batches.deletions import unwatch, watch
from mixpeek.batches.models import Batch
from mixpeek.batches.progress_queries import note_end
from mixpeek.catalog.models import StoredObject
from mixpeek.catalog.queries import OBJECT
from mixpeek.db.listing import Found, Listing, list_rows
from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, scalar
from mixpeek.filters.query import Query
from mixpeek.filters.surface import Column, Surface

BATCH = (
    "SELECT batch_id, namespace_id, type, bucket_ids, collection_ids, object_ids, snapshot, status, error,"
    " error_summary, metadata, task_id, created_at, updated_at, source_collection_ids, source_filters,"
    " (SELECT COALESCE(jsonb_agg(to_jsonb(t) ORDER BY t.tier_num), '[]') FROM batch_tiers t"
    "  WHERE t.batch_id = batches.batch_id) AS tiers, fills, mirror_of FROM batches"
)
BATCHES = Listing(
    BATCH,
    Surface(
        columns={
            **{name: Column(name) for name in ("batch_id", "type", "status", "error", "task_id")},
            **{name: Column(name) for name in ("bucket_ids", "collection_ids")},
            **{name: Column(name, "json") for name in ("error_summary", "metadata")},
            **{name: Column(name, "time") for name in ("created_at", "updated_at")},
        },
        searched=("batch_id", "error"),
    ),
    key=(("created_at", "timestamptz"), ("batch_id", "text")),
    newest_first=True,
)


def insert_batch(connection: Connection, batch: dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO batches (batch_id, namespace_id, type, bucket_ids, collection_ids, object_ids, snapshot, status,"
        " task_id, source_collection_ids, source_filters, fills) VALUES (%(batch_id)s, %(namespace_id)s, %(type)s,"
        " %(bucket_ids)s, %(collection_ids)s, %(object_ids)s, %(snapshot)s, %(status)s, %(task_id)s,"
        " %(source_collection_ids)s, %(source_filters)s, %(fills)s)",
        {"fills": None, **batch, "source_filters": Jsonb(batch["source_filters"]) if batch["source_filters"] else None},
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
        f"{BATCH} WHERE namespace_id = %s AND batch_id = %s AND %s = ANY(bucket_ids) AND mirror_of IS NULL{suffix}",
        [namespace_id, batch_id, bucket_id],
    )


def start_batch(connection: Connection, batch_id: str, task_id: str, snapshot: int) -> None:
    connection.execute(
        "UPDATE batches SET status = 'PENDING', task_id = %s, snapshot = %s, updated_at = now() WHERE batch_id = %s",
        [task_id, snapshot, batch_id],
    )
    watch(connection, batch_id)


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
    watch(connection, batch_id)


def add_objects(connection: Connection, batch_id: str, object_ids: list[str]) -> None:
    """Add objects to a batch's own, each once, in the order given."""
    connection.execute(
        "UPDATE batches SET object_ids = object_ids || ARRAY(SELECT added FROM unnest(%s::text[])"
        " WITH ORDINALITY a (added, place) WHERE added <> ALL(object_ids) ORDER BY place), updated_at = now()"
        " WHERE batch_id = %s",
        [object_ids, batch_id],
    )


def list_batches(
    connection: Connection, namespace_id: str, bucket_id: str, status: str | None, query: Query
) -> Found[Batch]:
    """Return a page of the batches over a bucket, newest first unless sorted."""
    scope: LiteralString = "namespace_id = %(namespace)s AND %(bucket)s = ANY(bucket_ids) AND mirror_of IS NULL"
    if status is not None:
        scope += " AND status = %(status)s"
    params = {"namespace": namespace_id, "bucket": bucket_id, "status": status}
    return list_rows(connection, Batch, BATCHES, query, scope, params)


def highest_sequence(connection: Connection, bucket_ids: list[str]) -> int:
    """Return the newest object's sequence, the snapshot of what a batch will run over; 0 when there is none."""
    found = scalar(connection, "SELECT COALESCE(max(sequence), 0) FROM objects WHERE bucket_id = ANY(%s)", [bucket_ids])
    return int(found)


def count_objects(connection: Connection, batch: Batch, bucket_ids: list[str]) -> int:
    """Count a batch's objects in these buckets: those up to its snapshot, or the chosen ones among them."""
    found = scalar(
        connection,
        "SELECT count(*) FROM objects WHERE bucket_id = ANY(%(buckets)s) AND sequence <= %(snapshot)s"
        " AND (%(objects)s::text[] IS NULL OR object_id = ANY(%(objects)s))",
        {"buckets": bucket_ids, "snapshot": batch.snapshot, "objects": batch.object_ids},
    )
    return int(found)


def page_objects(connection: Connection, batch: Batch, bucket_ids: list[str], after: int) -> list[StoredObject]:
    """Return the next of the batch's objects in these buckets, in creation order; for filters to choose from."""
    return all_rows(
        connection,
        StoredObject,
        f"{OBJECT} WHERE bucket_id = ANY(%(buckets)s) AND sequence <= %(snapshot)s AND sequence > %(after)s"
        " AND (%(objects)s::text[] IS NULL OR object_id = ANY(%(objects)s)) ORDER BY sequence LIMIT 1000",
        {"buckets": bucket_ids, "snapshot": batch.snapshot, "objects": batch.object_ids, "after": after},
    )


def documents_of_collection(connection: Connection, collection_id: str, generation: int) -> list[str]:
    """Return the ids of all documents of a collection, in id order."""
    rows = dict_rows(
        connection,
        "SELECT document_id FROM document_keys WHERE collection_id = %s AND generation = %s ORDER BY document_id",
        [collection_id, generation],
    )
    return [row["document_id"] for row in rows]


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
        unwatch(connection, batch_id)
    return cursor.rowcount == 1


def cancel_batch(connection: Connection, batch_id: str, task_id: str, error_summary: dict[str, int]) -> None:
    """End a batch as CANCELED, whoever carries it out: a commit under way was waited for, a later one is refused."""
    connection.execute(
        "UPDATE batches SET status = 'CANCELED', task_id = %s, error_summary = %s, updated_at = now()"
        " WHERE batch_id = %s",
        [task_id, Jsonb(error_summary), batch_id],
    )
    connection.execute("UPDATE batches SET status = 'MIRRORED' WHERE mirror_of = %s", [batch_id])
    note_end(connection, batch_id)
    unwatch(connection, batch_id)


def delete_batch(connection: Connection, batch_id: str) -> None:
    connection.execute("DELETE FROM batches WHERE batch_id = %s", [batch_id])


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
        " AND mirror_of IS NULL"
        " GROUP BY bucket_id",
        {"namespace": namespace_id, "buckets": bucket_ids},
    )
    return {row.pop("bucket_id"): row for row in rows}
