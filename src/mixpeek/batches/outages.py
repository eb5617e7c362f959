"""What a batch waits out instead of failing: a full disk, a database that restarts, a store that is away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import psycopg

from mixpeek.batches import progress_queries
from mixpeek.db.pool import Database, is_away
from mixpeek.documents.qdrant.errors import VectorStoreAway
from mixpeek.objects.errors import ObjectStoreAway, ObjectStoreFull

log = logging.getLogger(__name__)
Result = TypeVar("Result")

POLL_S = 1.0
DISK_FULL, DATABASE_AWAY, OBJECT_STORE_AWAY = "disk_full", "database_away", "object_store_away"
VECTOR_STORE_AWAY = "vector_store_away"
# Of PostgreSQL's error classes: 53100 no space, 53400 a limit of its configuration.
_FULL = ("53100", "53400")


def cause_of_outage(error: BaseException) -> str | None:
    """Return the name of an outage that will end, None for any other error. Pure."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, psycopg.Error):
            return _cause_in_database(cause)
        if isinstance(cause, OSError) and cause.errno == 28:
            return DISK_FULL
        if isinstance(cause, ObjectStoreFull):
            return DISK_FULL
        if isinstance(cause, ObjectStoreAway):
            return OBJECT_STORE_AWAY
        if isinstance(cause, VectorStoreAway):
            return VECTOR_STORE_AWAY
        cause = cause.__cause__
    return None


def _cause_in_database(error: psycopg.Error) -> str | None:
    if (error.sqlstate or "").startswith(_FULL):
        return DISK_FULL
    return DATABASE_AWAY if is_away(error) else None


class Outages:
    """Waits out the outages of one batch, and has the batch say that it does."""

    def __init__(self, database: Database, batch_id: str, wait: Callable[[float], None]) -> None:
        self._database = database
        self._batch_id = batch_id
        self._wait = wait

    def outlast(self, action: Callable[[], Result]) -> Result:
        """Run a transaction until no outage undoes it; other errors pass through."""
        paused: str | None = None
        while True:
            try:
                result = action()
            except Exception as error:
                cause = cause_of_outage(error)
                if cause is None:
                    raise
                if cause != paused:
                    log.warning("batch %s pauses (%s): %s", self._batch_id, cause, error)
                paused = cause
                self._tell(cause)
                self._wait(POLL_S)
            else:
                if paused is not None:
                    log.warning("batch %s goes on", self._batch_id)
                    self._tell(None)
                return result

    def _tell(self, cause: str | None) -> None:
        try:
            with self._database.transaction() as connection:
                progress_queries.set_paused(connection, self._batch_id, cause)
        except psycopg.Error as error:
            # While the database is away nobody could read it either.
            log.debug("the pause of batch %s could not be noted: %s", self._batch_id, error)
