"""SQL over the tiers of batches."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.types.json import Jsonb

from mixpeek.batches.models import Tier
from mixpeek.db.pool import Connection, all_rows, dict_rows, scalar


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


def reopen_tiers(connection: Connection, batch_id: str, begun: int | None, unplanned: int | None) -> None:
    """Have a batch that has ended go on within a tier, or with one that was never planned.

    Tiers after it are planned anew, from what is stored by then.
    """
    if begun is not None:
        connection.execute(
            "UPDATE batch_tiers SET status = 'IN_PROGRESS', error = NULL, completed_at = NULL,"
            " started_at = COALESCE(started_at, now()) WHERE batch_id = %s AND tier_num = %s",
            [batch_id, begun],
        )
    later = {"batch": batch_id, "first": unplanned if begun is None else begun + 1}
    for table in ("batch_chunks", "row_outcomes"):
        connection.execute(
            f"DELETE FROM {table} WHERE batch_id = %(batch)s AND collection_id IN (SELECT unnest(collection_ids)"
            "  FROM batch_tiers WHERE batch_id = %(batch)s AND tier_num >= %(first)s)",
            later,
        )
    connection.execute(
        "UPDATE batch_tiers SET status = 'PENDING', error = NULL, started_at = NULL, completed_at = NULL"
        " WHERE batch_id = %(batch)s AND tier_num >= %(first)s",
        later,
    )
