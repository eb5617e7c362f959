"""Reading from streaming replicas: those that live and are not far behind take turns, else the primary is read.

What was written a moment ago may not be there yet. What a replica does not have is looked for in the primary before it
is said not to be there.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psycopg

from mixpeek.db.pool import Database
from mixpeek.errors import NotFound, ServiceUnavailable

log = logging.getLogger(__name__)
Result = TypeVar("Result")

CHECK_S = 1.0
CONNECT_TIMEOUT_S = 2
# A replica that was usable a moment ago answers at once or is gone; the primary is there for that.
_WAIT_S = 0.5
# Nothing replayed yet, or no word of when: as far behind as can be. One that was promoted is not behind at all.
_LAG = (
    "SELECT CASE WHEN pg_is_in_recovery()"
    " THEN COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 'Infinity')::float8"
    " ELSE 0 END"
)


@dataclass
class _Replica:
    database: Database
    is_usable: bool = False


class Readers:
    """The databases that this process reads from; thread-safe."""

    def __init__(self, primary: Database, replica_urls: Sequence[str], *, most_lag_s: float, connections: int) -> None:
        self._primary = primary
        self._most_lag_s = most_lag_s
        self._replicas = [_Replica(Database(url, max_connections=connections, wait_s=_WAIT_S)) for url in replica_urls]
        self._turns = itertools.count()
        self._stopping = threading.Event()
        self._checkers = [
            threading.Thread(target=self._check_forever, args=(replica,), name="replica-check", daemon=True)
            for replica in self._replicas
        ]

    def start(self) -> Readers:
        """Begin to look how the replicas are; until then, and where there are none, the primary is read."""
        for replica in self._replicas:
            replica.database.open_lazily()
        for checker in self._checkers:
            checker.start()
        return self

    def close(self) -> None:
        self._stopping.set()
        for replica in self._replicas:
            replica.database.close()

    def usable(self) -> int:
        """Return how many replicas are read from at the moment."""
        return sum(replica.is_usable for replica in self._replicas)

    def read(self, action: Callable[[Database], Result]) -> Result:
        """Do what only reads with the next replica; with the primary where that fails, or does not find something."""
        replica = self._next()
        if replica is not None:
            try:
                return action(replica.database)
            except NotFound:
                log.debug("a replica does not have it, reading from the primary")
            except psycopg.errors.QueryCanceled:
                raise  # it took too long, and would there
            except (psycopg.OperationalError, ServiceUnavailable) as error:
                # It is gone, or ended the reading for what it has to replay; the check says when it is read again.
                log.warning("a replica could not be read from, reading from the primary: %s", error)
                replica.is_usable = False
        return action(self._primary)

    def _next(self) -> _Replica | None:
        usable = [replica for replica in self._replicas if replica.is_usable]
        return usable[next(self._turns) % len(usable)] if usable else None

    def _check_forever(self, replica: _Replica) -> None:
        place, said = self._replicas.index(replica) + 1, ""
        while not self._stopping.is_set():
            try:
                self._check_until_disconnected(replica)
            except psycopg.Error as error:
                replica.is_usable = False
                if str(error) != said:
                    said = str(error)
                    log.warning("replica %d does not answer, searches read from others: %s", place, error)
            self._stopping.wait(CHECK_S)

    def _check_until_disconnected(self, replica: _Replica) -> None:
        place = self._replicas.index(replica) + 1
        with psycopg.connect(
            replica.database.url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name="replica-check"
        ) as connection:
            told: bool | None = None
            while not self._stopping.is_set():
                row = connection.execute(_LAG).fetchone()
                assert row is not None
                replica.is_usable = row[0] <= self._most_lag_s
                if replica.is_usable != told:
                    told = replica.is_usable
                    log.info("replica %d is %.1f s behind, searches %s it", place, row[0], "read" if told else "spare")
                self._stopping.wait(CHECK_S)
