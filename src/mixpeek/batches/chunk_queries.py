"""SQL over the chunks of batches: planned, claimed, committed, counted, tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from mixpeek.batches.models import Batch, Chunk, Outcome
from mixpeek.batches.progress_queries import COUNTS
from mixpeek.db.pool import Connection, dict_rows, first_row, scalar
from mixpeek.errors import PlatformError

# Rows `c` of a batch, or of some of its collections.
CHOSEN = "c.batch_id = %(batch)s AND (%(collections)s::text[] IS NULL OR c.collection_id = ANY(%(collections)s))"
# What a batch's chunks hold, in some of its collections, each source once: a retry holds some of them again.
_HELD = (
    "(SELECT DISTINCT c.collection_id, c.generation, s.id FROM batch_chunks c CROSS JOIN LATERAL unnest(c.{ids}) s (id)"
    f" WHERE {CHOSEN} AND c.source_collection_id IS {{kind}}) h"
)
# The documents in the store that were made of it, each source looked up by an index, which OFFSET keeps the planner to:
# what it knows of tables that were just filled is old. Of one in four batches of 100,000 rows, what it chose to count
# them by took three times as long as the batch.
_MADE_OF_ONE = (
    "SELECT d.generation, d.document_id FROM {held} CROSS JOIN LATERAL (SELECT * FROM documents d"
    " WHERE d.collection_id = h.collection_id AND d.generation = h.generation AND d.{source} = h.id OFFSET 0) d"
)
STORED = (
    _MADE_OF_ONE.format(held=_HELD.format(ids="object_ids", kind="NULL"), source="object_id")
    + " UNION ALL "
    + _MADE_OF_ONE.format(held=_HELD.format(ids="document_ids", kind="NOT NULL"), source="source_document_id")
)
# Chunks `c` that one task of a batch has committed, of some of its collections.
_OF_TASK: LiteralString = f"{CHOSEN} AND c.committed_at >= (SELECT created_at FROM tasks WHERE task_id = %(task)s)"
# Each of their sources, and how a document `d`, stored or removed, is known to be made of what they held of it.
_HELD_BY_TASK: LiteralString = (
    " SELECT c.collection_id, c.generation, c.row_ids, c.deletions, s.id FROM batch_chunks c"
    f" CROSS JOIN LATERAL unnest(c.{{ids}}) s (id) WHERE {_OF_TASK} AND c.source_collection_id IS {{kind}}"
)
_MADE_OF_HELD: LiteralString = (
    "d.collection_id = h.collection_id AND d.generation = h.generation"
    " AND (h.row_ids IS NULL OR COALESCE(d.row_id, d.document_id) = ANY(h.row_ids))"
    " AND NOT EXISTS (SELECT FROM row_outcomes o WHERE o.batch_id = %(batch)s AND o.collection_id = d.collection_id"
    "  AND o.document_id = d.document_id)"
)


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
    deletions: int = 0,
) -> dict[str, Any]:
    """Record a claimed chunk as done with the outcome of every row that was not written; return the batch's counts.

    A row of an exploding extractor counts once for each of its parts, a retry for what it changed. From here to the end
    of the transaction no other chunk of the batch can be recorded.

    Args: deletions: how often documents were deleted in the namespace before, none of which happens meanwhile.
    """
    key = {"batch": chunk.batch_id, "collection": chunk.collection_id, "chunk": chunk.chunk}
    skipped = sum(1 for outcome in outcomes if outcome.outcome == "skipped")
    counts = {"written": written, "skipped": skipped, "failed": len(outcomes) - skipped}
    counts = {name: count - before.counts.get(name, 0) for name, count in counts.items()}
    counts["rows"] = sum(counts.values())
    # In one statement: whoever hears of the commit, as webhooks do, reads its counts.
    connection.execute(
        "UPDATE batch_chunks SET committed_at = now(), rows = %(rows)s, written = %(written)s, skipped = %(skipped)s,"
        " failed = %(failed)s, stored = %(stored)s, deletions = %(deletions)s"
        " WHERE batch_id = %(batch)s AND collection_id = %(collection)s AND chunk = %(chunk)s",
        {**key, **counts, "stored": written, "deletions": deletions},
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
        f" updated_at = now() WHERE batch_id = %(batch)s RETURNING {COUNTS}",
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


def count_rows(connection: Connection, batch_id: str, collection_ids: list[str]) -> dict[str, int]:
    """Return what became of the rows of some of a batch's collections."""
    return dict_rows(
        connection,
        "SELECT COALESCE(sum(rows), 0)::bigint AS rows, COALESCE(sum(written), 0)::bigint AS written,"
        " COALESCE(sum(skipped), 0)::bigint AS skipped, COALESCE(sum(failed), 0)::bigint AS failed"
        f" FROM batch_chunks c WHERE {CHOSEN}",
        {"batch": batch_id, "collections": collection_ids},
    )[0]


def count_missing(connection: Connection, batch_id: str, task_id: str, collection_ids: list[str]) -> int:
    """Count the documents that chunks of one task wrote and that are neither stored nor removed by right since.

    They are looked for by the sources and rows that the chunks held, whichever batch wrote them last; what a row that
    failed left from an earlier batch is not taken for one.
    """
    chosen = {"batch": batch_id, "task": task_id, "collections": collection_ids}
    found = dict_rows(
        connection,
        "SELECT (SELECT COALESCE(sum(stored), 0) FROM batch_chunks c WHERE " + _OF_TASK + ") AS written,"
        f" (SELECT count(*) FROM ({_HELD_BY_TASK.format(ids='object_ids', kind='NULL')}) h CROSS JOIN LATERAL"
        f"  (SELECT FROM documents d WHERE d.object_id = h.id AND {_MADE_OF_HELD} OFFSET 0) d)"
        f" + (SELECT count(*) FROM ({_HELD_BY_TASK.format(ids='document_ids', kind='NOT NULL')}) h CROSS JOIN LATERAL"
        f"  (SELECT FROM documents d WHERE d.source_document_id = h.id AND {_MADE_OF_HELD} OFFSET 0) d) AS stored",
        chosen,
    )[0]
    missing = int(found["written"]) - int(found["stored"])
    return missing and max(0, missing - _count_removed(connection, chosen))


def _count_removed(connection: Connection, chosen: dict[str, Any]) -> int:
    """Count the documents of a task's chunks that were removed since by users, or by other batches, and are gone."""
    held = f"{_HELD_BY_TASK.format(ids='object_ids', kind='NULL')} UNION ALL" + _HELD_BY_TASK.format(
        ids="document_ids", kind="NOT NULL"
    )
    found = scalar(
        connection,
        "SELECT count(*) FROM (SELECT DISTINCT d.collection_id, d.generation, d.document_id FROM document_removals d"
        f" JOIN ({held}) h ON d.source_id = h.id AND {_MADE_OF_HELD} WHERE d.collection_id = ANY(%(collections)s)"
        "  AND (d.number > h.deletions OR (d.number = 0 AND d.batch_id = %(batch)s))) d"
        " WHERE NOT EXISTS (SELECT FROM documents s WHERE s.collection_id = d.collection_id"
        "  AND s.generation = d.generation AND s.document_id = d.document_id)",
        chosen,
    )
    return int(found)
