"""Batches of very many rows, none of which is sent: one object is multiplied in the database."""

from __future__ import annotations

import psycopg


def multiply(database_url: str, bucket_id: str, rows: int) -> None:
    """Have a bucket hold its one object so many times more; sent one by one they would take minutes."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SET session_replication_role = replica")  # nobody listens to what triggers tell of them
        connection.execute(
            "INSERT INTO objects (object_id, namespace_id, bucket_id, blobs, fields, status)"
            " SELECT 'obj_' || md5(place::text), namespace_id, bucket_id, blobs, fields, status FROM objects,"
            " generate_series(1, %s) place WHERE bucket_id = %s",
            [rows, bucket_id],
        )


def committed(database_url: str, batch_id: str) -> int:
    """Return how many chunks of a batch are stored."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT chunks_committed FROM batch_progress WHERE batch_id = %s", [batch_id])
        found = row.fetchone()
    return int(found[0]) if found else 0
