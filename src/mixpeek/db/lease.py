"""The lease of one worker: an advisory lock that its session holds, so that PostgreSQL knows at once when it is gone.

What a worker has under way is its own while it holds the lease. One whose session broke takes it again; one that was
taken for dead meanwhile has to end, because another does its work by then.
"""

from __future__ import annotations

import contextlib
import time

import psycopg

from mixpeek.db import processes
from mixpeek.db.pool import Connection, scalar
from mixpeek.errors import PlatformError

# The first of an advisory lock's two numbers; the second is a hash of the worker's name.
_LEASES = "hashtext('mixpeek.leases'), hashtext(%s)"
# Where the network is cut, the server asks for a sign of life and gives the session up: the lock is free soon after.
_KEEPALIVE = "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3"
CONNECT_TIMEOUT_S = 3


class LeaseLost(PlatformError):
    """This worker was taken for dead, and what it had under way was given to another."""


class Lease:
    """Used from one thread; any may ask `held_s`."""

    def __init__(self, url: str, executor_id: str, role: str = "worker") -> None:
        self._url = url
        self._executor_id = executor_id
        self._role = role
        self._session: Connection | None = None
        self._held_since = 0.0

    @property
    def held_s(self) -> float:
        """For how long this session has held the lease; 0 while there is none."""
        return 0.0 if self._session is None else time.monotonic() - self._held_since

    def take(self) -> None:
        """Take the lease for the first time, and be known as a living process from here on."""
        self._connect()
        assert self._session is not None
        with self._session.transaction():
            processes.beat(self._session, self._executor_id, self._role, self._executor_id)

    def keep(self) -> None:
        """Say that this worker lives, taking the lease again if its session broke.

        Raises: LeaseLost: another has taken this worker for dead. psycopg.OperationalError: the database is away.
        """
        try:
            if self._session is None:
                self._connect()
            assert self._session is not None
            is_known = processes.beat_again(self._session, self._executor_id)
        except psycopg.Error:
            self.release()
            raise
        if not is_known:
            raise LeaseLost(f"{self._executor_id} was taken for dead while it could not reach the database")

    def release(self) -> None:
        """Give the lease back by ending its session."""
        if self._session is not None:
            with contextlib.suppress(psycopg.Error):
                self._session.close()
            self._session = None

    def _connect(self) -> None:
        session = psycopg.connect(
            self._url, autocommit=True, application_name=self._executor_id, connect_timeout=CONNECT_TIMEOUT_S
        )
        try:
            session.execute(_KEEPALIVE)
            session.execute(f"SELECT pg_advisory_lock({_LEASES})", [self._executor_id])
        except BaseException:
            session.close()
            raise
        self._session, self._held_since = session, time.monotonic()


def is_free(connection: Connection, executor_id: str) -> bool:
    """Tell whether nobody holds a worker's lease; if so, nobody takes it either until the transaction ends."""
    return bool(scalar(connection, f"SELECT pg_try_advisory_xact_lock({_LEASES})", [executor_id]))
