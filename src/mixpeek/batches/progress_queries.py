"""SQL over how far batches are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from mixpeek.batches.progress import eta_s
from mixpeek.db.pool import Connection, dict_rows

COUNTS: LiteralString = "chunks, chunks_committed, objects, objects_committed, rows, written, skipped, failed"


def recount(connection: Connection, batch_id: str) -> None:
    """Set a batch's counts to what its chunks say, once chunks are planned or taken back; twice changes nothing."""
    connection.execute(
        f"UPDATE batch_progress p SET ({COUNTS}) = (SELECT count(*), count(committed_at),"
        "  COALESCE(sum(sources), 0), COALESCE(sum(sources) FILTER (WHERE committed_at IS NOT NULL), 0),"
        "  COALESCE(sum(rows), 0), COALESCE(sum(written), 0), COALESCE(sum(skipped), 0), COALESCE(sum(failed), 0)"
        "  FROM (SELECT *, cardinality(object_ids) + cardinality(document_ids) AS sources FROM batch_chunks"
        "   WHERE batch_id = %(batch)s) c), updated_at = now() WHERE p.batch_id = %(batch)s",
        {"batch": batch_id},
    )


def totals(connection: Connection, batch_id: str) -> dict[str, int]:
    """Return the batch's counts so far: objects (or source documents) and chunks planned and done, rows by outcome."""
    return dict_rows(connection, f"SELECT {COUNTS} FROM batch_progress WHERE batch_id = %s", [batch_id])[0]


def progress(connection: Connection, batch_id: str) -> dict[str, Any]:
    """Return the batch's counts so far with its rate, what is left, and why it waits, if it does."""
    row = dict_rows(
        connection,
        f"SELECT {COUNTS}, rows_per_s, running, started_at, finished_at, paused_cause, paused_since, updated_at"
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


def set_running(connection: Connection, batch_id: str, running: Sequence[Mapping[str, Any]]) -> None:
    """Set what processors say of the chunks under way, in place of what they said before."""
    connection.execute(
        "UPDATE batch_progress SET running = %(running)s, updated_at = now()"
        " WHERE batch_id = %(batch)s AND running <> %(running)s",
        {"batch": batch_id, "running": Jsonb(list(running))},
    )


def note_end(connection: Connection, batch_id: str) -> None:
    connection.execute(
        "UPDATE batch_progress SET finished_at = now(), paused_cause = NULL, paused_since = NULL, running = '[]',"
        " updated_at = now() WHERE batch_id = %s",
        [batch_id],
    )
