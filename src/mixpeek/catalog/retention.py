"""Clearing what nobody can reach any more: uploads that nobody confirmed, and the assets of deleted namespaces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mixpeek.catalog import queries
from mixpeek.catalog.uploads import PREFIX
from mixpeek.db.pool import Database, dict_rows
from mixpeek.objects.assets import NAMESPACES, asset_prefix
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


def clear_assets(database: Database, objects: ObjectStore) -> int:
    """Remove the assets of namespaces that are gone; return how many. A namespace is there before its first asset."""
    stored = objects.folders(NAMESPACES)
    with database.transaction() as connection:
        rows = dict_rows(connection, "SELECT namespace_id FROM namespaces WHERE namespace_id = ANY(%s)", [stored])
    gone = set(stored) - {row["namespace_id"] for row in rows}
    keys = [key for namespace_id in gone for key, _ in objects.list(asset_prefix(namespace_id))]
    for key in keys:
        objects.delete(key)
    return len(keys)
