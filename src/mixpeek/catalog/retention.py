"""Clearing what nobody can reach any more: uploads that nobody confirmed, and assets that nothing refers to."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from mixpeek.catalog import queries
from mixpeek.catalog.uploads import PREFIX
from mixpeek.db.pool import Database, dict_rows
from mixpeek.objects.assets import NAMESPACES, asset_prefix
from mixpeek.objects.errors import ObjectStoreAway
from mixpeek.objects.store import ObjectStore

log = logging.getLogger(__name__)

# Until then a confirm may read what it is about to complete, an object of a stored file may not be written yet, and a
# signed URL of a file may still be good.
ORPHAN_AGE = timedelta(hours=1)
_ASSETS_AT_ONCE = 50


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


def clear_unused_assets(database: Database, objects: ObjectStore, age: timedelta = ORPHAN_AGE) -> int:
    """Remove assets that have not been referred to for `age`; return how many.

    A file is removed before the note that it may be: whatever ends this in between, the next turn does it again. Ends
    with the first file that cannot be removed, which then comes last.
    """
    removed, fault = 0, None
    while fault is None:
        with database.transaction() as connection:
            keys = queries.hold_due_assets(connection, age, _ASSETS_AT_ONCE)
            if not keys:
                break
            used, settled = queries.used_assets(connection, keys), []
            for key in keys:
                if key not in used:
                    fault = _fault_of_removal(objects, key)
                    if fault is not None:
                        log.warning("the asset %s cannot be removed; trying again later: %s", key, fault)
                        queries.check_asset_later(connection, key)
                        break
                    removed += 1
                settled.append(key)
            queries.forget_asset_checks(connection, settled)
    return removed


def _fault_of_removal(objects: ObjectStore, key: str) -> Exception | None:
    try:
        objects.delete(key)
    except ObjectStoreAway as error:
        return error
    return None


def clear_assets_of_namespaces(database: Database, objects: ObjectStore) -> int:
    """Remove the assets of namespaces that are gone, at once; return how many.

    A namespace is there before its first asset.
    """
    stored = objects.folders(NAMESPACES)
    with database.transaction() as connection:
        rows = dict_rows(connection, "SELECT namespace_id FROM namespaces WHERE namespace_id = ANY(%s)", [stored])
    gone = set(stored) - {row["namespace_id"] for row in rows}
    keys = [key for namespace_id in gone for key, _ in objects.list(asset_prefix(namespace_id))]
    for key in keys:
        objects.delete(key)
    return len(keys)
