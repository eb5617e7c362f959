"""Keeping what is stored while a backup is made: what clears stored objects, and a backup, exclude each other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg

from mixpeek.db.pool import Database, scalar
from mixpeek.errors import ServiceUnavailable

# Any constant that no other advisory lock has.
LOCK = 7_204_651_121


@contextlib.contextmanager
def clearing(database: Database) -> Iterator[bool]:
    """Yield whether stored objects may be removed now; no backup begins before the context ends."""
    with database.transaction() as connection:
        yield bool(scalar(connection, "SELECT pg_try_advisory_xact_lock(%s)", [LOCK]))


class Kept:
    """The promise that nothing stored is cleared, for as long as this connection lives."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        connection.execute("SELECT pg_advisory_lock_shared(%s)", [LOCK])

    def check(self) -> None:
        """Raise ServiceUnavailable if the promise was lost with its connection."""
        try:
            self._connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            raise ServiceUnavailable(
                f"The connection to the database was lost, and stored objects may have been cleared since: {error}",
                hint="Make the backup again",
            ) from error
