"""What a batch waits out instead of failing: a full disk, a database that restarts, an object store that is away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import psycopg

from mixpeek.batches import progress_queries
from mixpeek.db.pool import Database
from mixpeek.errors import ServiceUnavailable

log = logging.getLogger(__name__)
Result = TypeVar("Result")

POLL_S = 1.0
DISK_FULL, DATABASE_AWAY, OBJECT_STORE_AWAY = "disk_full", "database_away", "object_store_away"
# Of PostgreSQL's error classes: 57P a server that ends, crashed or comes up; 08 a broken connection; 25006 a standby
# that was promoted the other way; 53300 no connection left; 53100 no space, 53400 a limit of its configuration.
_AWAY = ("57P", "08", "25006", "53300")
_FULL = ("53100", "53400")
_NO_ANSWER = ("obstore.exceptions", "GenericError")


def cause_of_outage(error: BaseException) -> str | None:
    """Return the name of an outage that will end, None for any other error. Pure."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, psycopg.Error):
            return _cause_in_database(cause)
        if isinstance(cause, OSError) and cause.errno == 28:
            return DISK_FULL
        # obstore's own name for what is no answer about a key or a permission: a network, a server's fault.
        if isinstance(cause, ServiceUnavailable) or (type(cause).__module__, type(cause).__name__) == _NO_ANSWER:
            return OBJECT_STORE_AWAY
        cause = cause.__cause__
    return None


def _cause_in_database(error: psycopg.Error) -> str | None:
    state = error.sqlstate
    if state is None:
        # The connection broke, or none could be had.
        return DATABASE_AWAY if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else None
    if state.startswith(_FULL):
        return DISK_FULL
    return DATABASE_AWAY if state.startswith(_AWAY) else None


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
