"""SQL over batches, their chunks and row outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from mixpeek.batches.models import Batch, Chunk, Outcome, Tier
from mixpeek.batches.progress import eta_s
from mixpeek.catalog.models import StoredObject
from mixpeek.catalog.queries import OBJECT
from mixpeek.db.listing import Found, Listing, list_rows
from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, new_id, scalar
from mixpeek.errors import PlatformError
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

_COUNTS: LiteralString = "chunks, chunks_committed, objects, objects_committed, rows, written, skipped, failed"
# Rows `c` of a batch, or of some of its collections.
CHOSEN = "c.batch_id = %(batch)s AND (%(collections)s::text[] IS NULL OR c.collection_id = ANY(%(collections)s))"
# What a batch's chunks hold, in some of its collections, each source once: a retry holds some of them again.
_HELD = (
    "(SELECT DISTINCT c.collection_id, c.generation, s.id FROM batch_chunks c CROSS JOIN LATERAL unnest(c.{ids}) s (id)"
    f" WHERE {CHOSEN} AND c.source_collection_id IS {{kind}}) h"
)
# The documents in the store that were made of it.
STORED = (
    f"SELECT d.generation, d.document_id FROM {_HELD.format(ids='object_ids', kind='NULL')} JOIN documents d"
    " ON d.collection_id = h.collection_id AND d.generation = h.generation AND d.object_id = h.id"
    f" UNION ALL SELECT d.generation, d.document_id FROM {_HELD.format(ids='document_ids', kind='NOT NULL')}"
    " JOIN documents d"
    " ON d.collection_id = h.collection_id AND d.generation = h.generation AND d.source_document_id = h.id"
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


def close_tiers(connection: Connection, batch_id: str, error: str | None, *, status: str = "FAILED") -> None:
    """End the tiers that have not ended: one under way ends with `status`, those after it are not run."""
    connection.execute(
        "UPDATE batch_tiers SET status = CASE WHEN started_at IS NULL THEN 'SKIPPED' ELSE %s END,"
        " error = CASE WHEN started_at IS NOT NULL THEN %s END, completed_at = now()"
        " WHERE batch_id = %s AND status IN ('PENDING', 'IN_PROGRESS')",
        [status, error, batch_id],
    )


def reopen_tiers(connection: Connection, batch_id: str, first: int) -> None:
    """Have a batch that has ended go on at a tier; those after it are planned anew, from what is stored by then."""
    connection.execute(
        "UPDATE batch_tiers SET status = 'IN_PROGRESS', error = NULL, completed_at = NULL,"
        " started_at = COALESCE(started_at, now()) WHERE batch_id = %s AND tier_num = %s",
        [batch_id, first],
    )
    later = {"batch": batch_id, "first": first}
    for table in ("batch_chunks", "row_outcomes"):
        connection.execute(
            f"DELETE FROM {table} WHERE batch_id = %(batch)s AND collection_id IN (SELECT unnest(collection_ids)"
            "  FROM batch_tiers WHERE batch_id = %(batch)s AND tier_num > %(first)s)",
            later,
        )
    connection.execute(
        "UPDATE batch_tiers SET status = 'PENDING', error = NULL, started_at = NULL, completed_at = NULL"
        " WHERE batch_id = %(batch)s AND tier_num > %(first)s",
        later,
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
        f"{BATCH} WHERE namespace_id = %s AND batch_id = %s AND %s = ANY(bucket_ids) AND mirror_of IS NULL{suffix}",
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
        "  AND g.generation = c.generation)",
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


def count_failed(connection: Connection, collection_id: str, generation: int) -> dict[str, int]:
    """Count the rows that failed in batches that fill just this generation, by cause."""
    rows = dict_rows(
        connection,
        "SELECT o.cause, count(*)::int AS n FROM batches b JOIN row_outcomes o USING (batch_id)"
        " WHERE b.fills = %s AND o.collection_id = %s AND o.outcome = 'failed'"
        " AND %s = ANY(b.collection_ids) AND NOT EXISTS (SELECT FROM document_keys k WHERE k.collection_id ="
        "  o.collection_id AND k.generation = b.fills AND k.document_id = o.document_id)"
        " GROUP BY o.cause ORDER BY n DESC",
        [generation, collection_id, collection_id],
    )
    return {row["cause"]: row["n"] for row in rows}


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
            " source_collection_id, source_generation, row_ids) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
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


def recount(connection: Connection, batch_id: str) -> None:
    """Set a batch's counts to what its chunks say, once chunks are planned or taken back; twice changes nothing."""
    connection.execute(
        f"UPDATE batch_progress p SET ({_COUNTS}) = (SELECT count(*), count(committed_at),"
        "  COALESCE(sum(sources), 0), COALESCE(sum(sources) FILTER (WHERE committed_at IS NOT NULL), 0),"
        "  COALESCE(sum(rows), 0), COALESCE(sum(written), 0), COALESCE(sum(skipped), 0), COALESCE(sum(failed), 0)"
        "  FROM (SELECT *, cardinality(object_ids) + cardinality(document_ids) AS sources FROM batch_chunks"
        "   WHERE batch_id = %(batch)s) c), updated_at = now() WHERE p.batch_id = %(batch)s",
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
    """Return a chunk with what it holds."""
    found = first_row(
        connection,
        Chunk,
        "SELECT batch_id, collection_id, generation, chunk, object_ids, document_ids, source_collection_id,"
        " source_generation, row_ids FROM batch_chunks"
        " WHERE batch_id = %s AND collection_id = %s AND chunk = %s",
        [batch_id, collection_id, number],
    )
    if found is None:
        raise PlatformError(f"Chunk {number} of batch {batch_id} was deleted while the batch ran")
    return found


def plan_retries(
    connection: Connection, batch_id: str, collection_ids: list[str], causes: Sequence[str] | None, most_retries: int
) -> int:
    """Have the rows that failed run again, those of each chunk in one of their own; return how many rows these are.

    Args: causes: the only causes to try again; None for all. most_retries: rows tried again so often are left out.
    """
    # What an earlier retry planned and did not run: its rows are still among the failed ones.
    connection.execute(
        "DELETE FROM batch_chunks WHERE batch_id = %s AND row_ids IS NOT NULL AND committed_at IS NULL", [batch_id]
    )
    found = dict_rows(
        connection,
        "WITH failed AS (SELECT collection_id, chunk, array_agg(DISTINCT object_id) AS object_ids,"
        "  array_agg(DISTINCT row_id) AS row_ids FROM row_outcomes WHERE batch_id = %(batch)s AND outcome = 'failed'"
        "  AND collection_id = ANY(%(collections)s) AND (%(causes)s::text[] IS NULL OR cause = ANY(%(causes)s))"
        "  AND retries < %(most)s GROUP BY collection_id, chunk)"
        " INSERT INTO batch_chunks (batch_id, collection_id, generation, chunk, object_ids, document_ids,"
        "  source_collection_id, source_generation, row_ids)"
        " SELECT %(batch)s, f.collection_id, c.generation, (SELECT max(chunk) FROM batch_chunks l"
        "   WHERE l.batch_id = %(batch)s AND l.collection_id = f.collection_id)"
        "   + row_number() OVER (PARTITION BY f.collection_id ORDER BY f.chunk),"
        "  CASE WHEN c.source_collection_id IS NULL THEN f.object_ids ELSE '{}' END, c.document_ids,"
        "  c.source_collection_id, c.source_generation, f.row_ids FROM failed f"
        "  JOIN batch_chunks c ON c.batch_id = %(batch)s AND c.collection_id = f.collection_id AND c.chunk = f.chunk"
        " RETURNING cardinality(row_ids) AS rows",
        {
            "batch": batch_id,
            "collections": collection_ids,
            "causes": None if causes is None else list(causes),
            "most": most_retries,
        },
    )
    return sum(row["rows"] for row in found)


@dataclass(frozen=True)
class Before:
    """What the rows of a chunk had come to before this run of it: of a first run nothing, of a retry what it replaces.

    `retries` says of each row how often it was tried again.
    """

    counts: dict[str, int]
    retries: dict[str, int]


def claim_chunk(connection: Connection, chunk: Chunk) -> Before | None:
    """Keep a chunk from being stored by anybody else until the transaction ends; None if it was stored before.

    Of a retry, the outcomes that it replaces are deleted. Documents must not be written before this.
    """
    open_one: LiteralString = (
        "SELECT true FROM batch_chunks WHERE batch_id = %s AND collection_id = %s AND chunk = %s"
        " AND committed_at IS NULL FOR UPDATE"
    )
    if not scalar(connection, open_one, [chunk.batch_id, chunk.collection_id, chunk.chunk]):
        return None
    if chunk.row_ids is None:
        return Before({}, {})
    return _take_back(connection, chunk, chunk.row_ids)


def commit_chunk(
    connection: Connection,
    chunk: Chunk,
    before: Before,
    written: int,
    outcomes: Sequence[Outcome],
    rows_per_s: float | None = None,
) -> dict[str, Any]:
    """Record a claimed chunk as done with the outcome of every row that was not written; return the batch's counts.

    A row of an exploding extractor counts once for each of its parts, a retry for what it changed. From here to the end
    of the transaction no other chunk of the batch can be recorded.
    """
    key = {"batch": chunk.batch_id, "collection": chunk.collection_id, "chunk": chunk.chunk}
    skipped = sum(1 for outcome in outcomes if outcome.outcome == "skipped")
    counts = {"written": written, "skipped": skipped, "failed": len(outcomes) - skipped}
    counts = {name: count - before.counts.get(name, 0) for name, count in counts.items()}
    counts["rows"] = sum(counts.values())
    # In one statement: whoever hears of the commit, as webhooks do, reads its counts.
    connection.execute(
        "UPDATE batch_chunks SET committed_at = now(), rows = %(rows)s, written = %(written)s, skipped = %(skipped)s,"
        " failed = %(failed)s WHERE batch_id = %(batch)s AND collection_id = %(collection)s AND chunk = %(chunk)s",
        {**key, **counts},
    )
    with connection.cursor() as many:
        many.executemany(
            "INSERT INTO row_outcomes (batch_id, collection_id, chunk, document_id, row_id, object_id, blob_id,"
            " outcome, cause, message, details, retries) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (chunk.batch_id, chunk.collection_id, chunk.chunk, o.row.document_id, o.row.row_id, o.row.object_id,
                 o.row.blob_id, o.outcome, o.cause, o.message, Jsonb(o.details),
                 before.retries.get(o.row.row_id, -1) + 1)
                for o in outcomes
            ],
        )  # fmt: skip
    return dict_rows(
        connection,
        "UPDATE batch_progress SET chunks_committed = chunks_committed + 1,"
        " objects_committed = objects_committed + %(sources)s, rows = rows + %(rows)s, written = written + %(written)s,"
        " skipped = skipped + %(skipped)s, failed = failed + %(failed)s, rows_per_s = %(rows_per_s)s,"
        f" updated_at = now() WHERE batch_id = %(batch)s RETURNING {_COUNTS}",
        {**key, **counts, "sources": len(chunk.object_ids) + len(chunk.document_ids), "rows_per_s": rows_per_s},
    )[0]


def _take_back(connection: Connection, chunk: Chunk, row_ids: Sequence[str]) -> Before:
    """Delete the outcomes that a retry replaces; return what its rows had come to."""
    place = {"batch": chunk.batch_id, "collection": chunk.collection_id, "rows": list(row_ids)}
    rows = dict_rows(
        connection,
        "DELETE FROM row_outcomes WHERE batch_id = %(batch)s AND collection_id = %(collection)s"
        " AND row_id = ANY(%(rows)s) RETURNING row_id, outcome, retries",
        place,
    )
    counts = {name: sum(row["outcome"] == name for row in rows) for name in ("skipped", "failed")}
    # Other parts of a row that failed in one of them are stored, and will be again.
    stored = scalar(
        connection,
        "SELECT count(*) FROM documents WHERE collection_id = %(collection)s AND generation = %(generation)s"
        " AND COALESCE(row_id, document_id) = ANY(%(rows)s) AND batch_id = %(batch)s",
        {**place, "generation": chunk.generation},
    )
    return Before({**counts, "written": int(stored)}, {row["row_id"]: row["retries"] for row in rows})


def totals(connection: Connection, batch_id: str) -> dict[str, int]:
    """Return the batch's counts so far: objects (or source documents) and chunks planned and done, rows by outcome."""
    return dict_rows(connection, f"SELECT {_COUNTS} FROM batch_progress WHERE batch_id = %s", [batch_id])[0]


def count_rows(connection: Connection, batch_id: str, collection_ids: list[str]) -> dict[str, int]:
    """Return what became of the rows of some of a batch's collections."""
    return dict_rows(
        connection,
        "SELECT COALESCE(sum(rows), 0)::bigint AS rows, COALESCE(sum(written), 0)::bigint AS written,"
        " COALESCE(sum(skipped), 0)::bigint AS skipped, COALESCE(sum(failed), 0)::bigint AS failed"
        f" FROM batch_chunks c WHERE {CHOSEN}",
        {"batch": batch_id, "collections": collection_ids},
    )[0]


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


def count_stored(connection: Connection, batch_id: str, collection_ids: list[str]) -> int:
    """Count the documents that collections have of this batch's sources, whichever batch wrote them last."""
    chosen = {"batch": batch_id, "collections": collection_ids}
    return int(scalar(connection, f"SELECT count(*) FROM ({STORED}) stored", chosen))


def count_causes(connection: Connection, batch_id: str, collection_ids: list[str] | None = None) -> dict[str, int]:
    rows = dict_rows(
        connection,
        f"SELECT cause, count(*)::int AS n FROM row_outcomes c WHERE {CHOSEN} GROUP BY cause ORDER BY n DESC",
        {"batch": batch_id, "collections": collection_ids},
    )
    return {row["cause"]: row["n"] for row in rows}


def first_outcome(connection: Connection, batch_id: str, collection_ids: list[str]) -> dict[str, Any] | None:
    """Return the first row, in the order they were run, that did not become a document; a failed one if any did."""
    rows = dict_rows(
        connection,
        f"SELECT document_id, cause, message FROM row_outcomes c WHERE {CHOSEN}"
        " ORDER BY outcome, chunk, document_id LIMIT 1",
        {"batch": batch_id, "collections": collection_ids},
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
    connection.execute("UPDATE batches SET status = 'MIRRORED' WHERE mirror_of = %s", [batch_id])
    note_end(connection, batch_id)


def note_end(connection: Connection, batch_id: str) -> None:
    connection.execute(
        "UPDATE batch_progress SET finished_at = now(), paused_cause = NULL, paused_since = NULL, updated_at = now()"
        " WHERE batch_id = %s",
        [batch_id],
    )


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
