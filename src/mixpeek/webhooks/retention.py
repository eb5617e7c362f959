"""Clearing events that are too old, with how they were delivered."""

from __future__ import annotations

import logging

from mixpeek.db.pool import Database
from mixpeek.webhooks import queries

log = logging.getLogger(__name__)


def clear_events(database: Database, days: float) -> int:
    """Delete events older than `days`, what was never delivered of them included; return how many."""
    with database.transaction() as connection:
        cleared = queries.delete_old(connection, days)
    if cleared:
        log.info("cleared webhook events=%d", cleared)
    return cleared
