"""Clearing models that nothing refers to any more: abandoned uploads, archives of deleted models, unused files."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from mixpeek.db.pool import dict_rows
from mixpeek.model_store import queries
from mixpeek.model_store.service import ARCHIVES_LOCK, ARCHIVES_PREFIX, UPLOADS_PREFIX, ModelStore

log = logging.getLogger(__name__)

# An archive is stored a moment before the row that refers to it commits; younger ones are left alone.
ORPHAN_AGE = timedelta(hours=1)


def clear_models(store: ModelStore, days: float) -> tuple[int, int, int]:
    """Remove what has expired; return how many uploads, archives and cached models that were."""
    with store.database.transaction() as connection:
        connection.execute(
            "DELETE FROM model_uploads WHERE state = 'requested' AND expires_at < now() - interval '1 hour'"
        )
        rows = dict_rows(connection, "SELECT object_key FROM model_uploads WHERE state = 'requested'")
    uploads = _delete_old(store, UPLOADS_PREFIX, {row["object_key"] for row in rows})
    with store.database.transaction() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [ARCHIVES_LOCK])
        rows = dict_rows(connection, "SELECT archive_key FROM namespace_models WHERE deleted_at IS NULL")
        archives = _delete_old(store, ARCHIVES_PREFIX, {row["archive_key"] for row in rows})
        used = queries.list_hashes_in_use(connection)
    cleared = (uploads, archives, store.cache.clear(used, days))
    if any(cleared):
        log.info("cleared model uploads=%d archives=%d cached=%d", *cleared)
    return cleared


def _delete_old(store: ModelStore, prefix: str, kept: set[str]) -> int:
    before = datetime.now(UTC) - ORPHAN_AGE
    old = [key for key, modified in store.objects.list(prefix) if modified < before and key not in kept]
    for key in old:
        store.objects.delete(key)
    return len(old)
