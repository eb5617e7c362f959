"""SQL over batches, their chunks and row outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from mixpeek.batches.models import Batch, Chunk, Outcome, Tier
from mixpeek.catalog.models import StoredObject
from mixpeek.catalog.queries import OBJECT
from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, scalar

BATCH = (
    "SELECT batch_id, namespace_id, type, bucket_ids, collection_ids, object_ids, snapshot, status, error,"
    " error_summary, metadata, task_id, created_at, updated_at, source_collection_ids, source_filters,"
    " (SELECT COALESCE(jsonb_agg(to_jsonb(t) ORDER BY t.tier_num), '[]') FROM batch_tiers t"
    "  WHERE t.batch_id = batches.batch_id) AS tiers FROM batches"
)

# Rows `c` of a batch, or of some of its collections.
CHOSEN = "c.batch_id = %(batch)s AND (%(collections)s::text[] IS NULL OR c.collection_id = ANY(%(collections)s))"
# The documents in the store that were made of what a batch's chunks hold, in some of its collections.
STORED = (
    "SELECT d.generation, d.document_id FROM batch_chunks c CROSS JOIN LATERAL unnest(c.object_ids) s (id)"
    " JOIN documents d ON d.collection_id = c.collection_id AND d.generation = c.generation AND d.object_id = s.id"
    f" WHERE {CHOSEN} AND c.source_collection_id IS NULL"
    " UNION ALL SELECT d.generation, d.document_id FROM batch_chunks c"
    " CROSS JOIN LATERAL unnest(c.document_ids) s (id) JOIN documents d ON d.collection_id = c.collection_id"
    " AND d.generation = c.generation AND d.source_document_id = s.id"
    f" WHERE {CHOSEN} AND c.source_collection_id IS NOT NULL"
)


def insert_batch(connection: Connection, batch: dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO batches (batch_id, namespace_id, type, bucket_ids, collection_ids, object_ids, snapshot, status,"
        " task_id, source_collection_ids, source_filters) VALUES (%(batch_id)s, %(namespace_id)s, %(type)s,"
        " %(bucket_ids)s, %(collection_ids)s, %(object_ids)s, %(snapshot)s, %(status)s, %(task_id)s,"
        " %(source_collection_ids)s, %(source_filters)s)",
        {**batch, "source_filters": Jsonb(batch["source_filters"]) if batch["source_filters"] else None},
    )


def replace_tiers(connection: Connection, batch_id: str, tiers: Sequence[Tier]) -> None:
    """Set the tiers of a batch that has not begun, and with them its collections."""
    connection.execute("DELETE FROM batch_tiers WHERE batch_id = %s", [batch_id])
    connection.execute(
        "UPDATE batches SET collection_ids = %s WHERE batch_id = %s",
        [[one for tier in tiers for one in tier.collection_ids], batch_id],
    )
    with connection.cursor() as many:
        many.executemany(
            "INSERT INTO batch_tiers (batch_id, tier_num, collection_ids, source_type, source_collection_ids, status)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [
                (t.batch_id, t.tier_num, t.collection_ids, t.source_type, t.source_collection_ids, t.status)
                for t in tiers
            ],
        )


def list_tiers(connection: Connection, batch_id: str) -> list[Tier]:
    return all_rows(
        connection,
        Tier,
        "SELECT batch_id, tier_num, collection_ids, source_type, source_collection_ids, status FROM batch_tiers"
        " WHERE batch_id = %s ORDER BY tier_num",
        [batch_id],
    )


def is_planned(connection: Connection, tier: Tier) -> bool:
    """Tell whether a tier was planned before; until the transaction ends nobody else plans it."""
    found = scalar(
        connection,
        "SELECT status FROM batch_tiers WHERE batch_id = %s AND tier_num = %s FOR UPDATE",
        [tier.batch_id, tier.tier_num],
    )
    return bool(found != "PENDING")


def list_generations(connection: Connection, batch_id: str) -> dict[str, int]:
    """Return the generation that a batch fills of each of its collections, of those with anything to run."""
    rows = dict_rows(
        connection, "SELECT DISTINCT collection_id, generation FROM batch_chunks WHERE batch_id = %s", [batch_id]
    )
    return {row["collection_id"]: row["generation"] for row in rows}


def begin_tier(connection: Connection, tier: Tier, found: int, taken: int) -> None:
    connection.execute(
        "UPDATE batch_tiers SET status = 'IN_PROGRESS', sources_found = %s, sources_taken = %s,"
        " started_at = now() WHERE batch_id = %s AND tier_num = %s",
        [found, taken, tier.batch_id, tier.tier_num],
    )


def finish_tier(
    connection: Connection, tier: Tier, status: str, error: str | None, causes: dict[str, int], written: int
) -> None:
    connection.execute(
        "UPDATE batch_tiers SET status = %s, error = %s, error_summary = %s, written = %s, completed_at = now()"
        " WHERE batch_id = %s AND tier_num = %s",
        [status, error, Jsonb(causes), written, tier.batch_id, tier.tier_num],
    )


def close_tiers(connection: Connection, batch_id: str, error: str | None) -> None:
    """End the tiers that have not ended: one under way has failed, those after it are not run."""
    connection.execute(
        "UPDATE batch_tiers SET status = CASE WHEN started_at IS NULL THEN 'SKIPPED' ELSE 'FAILED' END,"
        " error = CASE WHEN started_at IS NOT NULL THEN %s END, completed_at = now()"
        " WHERE batch_id = %s AND status IN ('PENDING', 'IN_PROGRESS')",
        [error, batch_id],
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


def count_objects(connection: Connection, batch: Batch, bucket_ids: list[str]) -> int:
    """Count a batch's objects in these buckets: those up to its snapshot, or the chosen ones among them."""
    found = scalar(
        connection,
        "SELECT count(*) FROM objects WHERE bucket_id = ANY(%(buckets)s) AND sequence <= %(snapshot)s"
        " AND (%(objects)s::text[] IS NULL OR object_id = ANY(%(objects)s))",
        {"buckets": bucket_ids, "snapshot": batch.snapshot, "objects": batch.object_ids},
    )
    return int(found)


def plan_chunks(
    connection: Connection, batch: Batch, collection_id: str, generation: int, size: int, bucket_ids: list[str]
) -> None:
    """Cut the batch's objects in these buckets into chunks of `size`, in creation order."""
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
            "buckets": bucket_ids,
            "snapshot": batch.snapshot,
            "objects": batch.object_ids,
        },
    )


def page_objects(connection: Connection, batch: Batch, bucket_ids: list[str], after: int) -> list[StoredObject]:
    """Return the next of the batch's objects in these buckets, in creation order; for filters to choose from."""
    return all_rows(
        connection,
        StoredObject,
        f"{OBJECT} WHERE bucket_id = ANY(%(buckets)s) AND sequence <= %(snapshot)s AND sequence > %(after)s"
        " AND (%(objects)s::text[] IS NULL OR object_id = ANY(%(objects)s)) ORDER BY sequence LIMIT 1000",
        {"buckets": bucket_ids, "snapshot": batch.snapshot, "objects": batch.object_ids, "after": after},
    )


def insert_chunks(connection: Connection, chunks: Sequence[Chunk]) -> None:
    with connection.cursor() as many:
        many.executemany(
            "INSERT INTO batch_chunks (batch_id, collection_id, generation, chunk, object_ids, document_ids,"
            " source_collection_id, source_generation) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [astuple(chunk) for chunk in chunks],
        )


def documents_of_batch(connection: Connection, batch_id: str, collection_id: str) -> dict[int, list[str]]:
    """Return the ids of the documents that a batch's sources have in a collection, by generation, in id order."""
    rows = dict_rows(
        connection,
        f"SELECT generation, array_agg(document_id ORDER BY document_id) AS ids FROM ({STORED}) stored"
        " GROUP BY generation",
        {"batch": batch_id, "collections": [collection_id]},
    )
    return {row["generation"]: row["ids"] for row in rows}


def documents_of_collection(connection: Connection, collection_id: str, generation: int) -> list[str]:
    """Return the ids of all documents of a collection, in id order."""
    rows = dict_rows(
        connection,
        "SELECT document_id FROM document_keys WHERE collection_id = %s AND generation = %s ORDER BY document_id",
        [collection_id, generation],
    )
    return [row["document_id"] for row in rows]


def set_status(connection: Connection, batch_id: str, status: str) -> None:
    connection.execute("UPDATE batches SET status = %s, updated_at = now() WHERE batch_id = %s", [status, batch_id])


def list_open_chunks(connection: Connection, batch_id: str, collection_id: str) -> list[Chunk]:
    """Return the chunks not committed yet, in order: where a resumed batch goes on."""
    return all_rows(
        connection,
        Chunk,
        "SELECT batch_id, collection_id, generation, chunk, object_ids, document_ids, source_collection_id,"
        " source_generation FROM batch_chunks"
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


def totals(connection: Connection, batch_id: str, collection_ids: list[str] | None = None) -> dict[str, int]:
    """Return the counts so far of a batch, or of some of its collections: what is planned and done, rows by outcome."""
    return dict_rows(
        connection,
        "SELECT count(*)::int AS chunks, count(committed_at)::int AS chunks_committed,"
        " COALESCE(sum(cardinality(object_ids)), 0)::int AS objects,"
        " COALESCE(sum(cardinality(object_ids)) FILTER (WHERE committed_at IS NOT NULL), 0)::int AS objects_committed,"
        " COALESCE(sum(cardinality(document_ids)), 0)::int AS source_documents,"
        " COALESCE(sum(cardinality(document_ids)) FILTER (WHERE committed_at IS NOT NULL), 0)::int"
        "  AS source_documents_committed,"
        " COALESCE(sum(rows), 0)::int AS rows, COALESCE(sum(written), 0)::int AS written,"
        " COALESCE(sum(skipped), 0)::int AS skipped, COALESCE(sum(failed), 0)::int AS failed"
        f" FROM batch_chunks c WHERE {CHOSEN}",
        {"batch": batch_id, "collections": collection_ids},
    )[0]


def count_stored(connection: Connection, batch_id: str, collection_ids: list[str]) -> int:
    """Count the documents that collections have of this batch's sources, whichever batch wrote them last."""
    sql: LiteralString = f"SELECT count(*) FROM ({STORED}) stored"
    return int(scalar(connection, sql, {"batch": batch_id, "collections": collection_ids}))


def count_causes(connection: Connection, batch_id: str, collection_ids: list[str] | None = None) -> dict[str, int]:
    rows = dict_rows(
        connection,
        f"SELECT cause, count(*)::int AS n FROM row_outcomes c WHERE {CHOSEN} GROUP BY cause ORDER BY n DESC",
        {"batch": batch_id, "collections": collection_ids},
    )
    return {row["cause"]: row["n"] for row in rows}


def list_outcomes(
    connection: Connection, batch_id: str, limit: int, offset: int, collection_ids: list[str] | None = None
) -> list[dict[str, Any]]:
    return dict_rows(
        connection,
        "SELECT collection_id, document_id, object_id, blob_id, outcome, cause, message, details FROM row_outcomes c"
        f" WHERE {CHOSEN} ORDER BY chunk, document_id LIMIT %(limit)s OFFSET %(offset)s",
        {"batch": batch_id, "collections": collection_ids, "limit": limit, "offset": offset},
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
