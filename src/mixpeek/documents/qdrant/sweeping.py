"""Has Qdrant forget what counts no more: vectors whose rows are gone, and writes that were never committed.

Both are noted in PostgreSQL before there is anything to forget. An id is used by one write only, so that forgetting it
twice, or while others write, harms nobody.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

from mixpeek.db.pool import Database, dict_rows
from mixpeek.documents.qdrant.cluster import Cluster
from mixpeek.documents.qdrant.points import Point, Space

AT_ONCE = 2000
# A write that is not committed by then may have been given up; while its transaction is open, its row is locked.
GIVEN_UP = timedelta(minutes=10)


def sweep(database: Database, cluster: Cluster, given_up: timedelta = GIVEN_UP) -> int:
    """Forget all that is noted; return how many vectors and writes it was.

    Raises: VectorStoreAway: what is left is forgotten by the next turn.
    """
    swept = 0
    while (some := _sweep_removals(database, cluster)) > 0:
        swept += some
    while _sweep_write(database, cluster, given_up):
        swept += 1
    return swept


def _sweep_removals(database: Database, cluster: Cluster) -> int:
    with database.transaction() as connection:
        rows = dict_rows(
            connection, "SELECT * FROM vector_removals ORDER BY removal LIMIT %s FOR UPDATE SKIP LOCKED", [AT_ONCE]
        )
        removals, by_space = [row.pop("removal") for row in rows], defaultdict[Space, list[str]](list)
        for row in rows:
            point = Point(**row)
            by_space[point.space].append(point.id)
        for space, ids in by_space.items():
            cluster.delete(space, ids)
        connection.execute("DELETE FROM vector_removals WHERE removal = ANY(%s)", [removals])
    return len(rows)


def _sweep_write(database: Database, cluster: Cluster, given_up: timedelta) -> bool:
    with database.transaction() as connection:
        rows = dict_rows(
            connection,
            "SELECT version, stores FROM vector_writes WHERE begun_at < now() - %s::interval ORDER BY version LIMIT 1"
            " FOR UPDATE SKIP LOCKED",
            [given_up],
        )
        for row in rows:
            for name in row["stores"]:
                cluster.delete_write(Space.from_name(name), row["version"])
            connection.execute("DELETE FROM vector_writes WHERE version = %s", [row["version"]])
    return bool(rows)
