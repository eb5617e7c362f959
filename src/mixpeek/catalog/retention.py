"""Clearing uploads that nobody confirmed: rows that have expired, and bytes that no open upload waits for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mixpeek.catalog import queries
from mixpeek.catalog.uploads import PREFIX
from mixpeek.db.pool import Database
from mixpeek.objects.store import ObjectStore

# A confirm under way may still read what it is about to complete.
ORPHAN_AGE = timedelta(hours=1)


def clear_bucket_uploads(database: Database, objects: ObjectStore, age: timedelta = ORPHAN_AGE) -> tuple[int, int]:
    """Remove abandoned uploads; return how many rows and how many stored files it was. Assets are never touched."""
    with database.transaction() as connection:
        rows = queries.delete_expired_uploads(connection)
        open_keys = queries.list_open_upload_keys(connection)
    before = datetime.now(UTC) - age
    old = [key for key, modified in objects.list(PREFIX) if modified < before and key not in open_keys]
    for key in old:
        objects.delete(key)
    return rows, len(old)
