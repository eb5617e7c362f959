"""Clearing lines that are too old, or more than a version may keep."""

from __future__ import annotations

import logging

from mixpeek.db.pool import Database
from mixpeek.plugin_logs import queries

log = logging.getLogger(__name__)


def clear_logs(database: Database, days: float, keep_bytes: int) -> int:
    """Delete lines older than `days`, and of each version the oldest beyond `keep_bytes`; return how many."""
    with database.transaction() as connection:
        cleared = queries.delete_old(connection, days)
        large = queries.list_large(connection, keep_bytes)
    for namespace_id, plugin_id in large:
        with database.transaction() as connection:
            cleared += queries.delete_surplus(connection, namespace_id, plugin_id, keep_bytes)
    if cleared:
        log.info("cleared plugin log lines=%d", cleared)
    return cleared
