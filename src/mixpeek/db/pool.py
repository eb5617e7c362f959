"""Connections to PostgreSQL and the transactions everything else runs in.

Statements live beside the slice that owns the tables; this module only opens and ends transactions.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import class_row, dict_row, scalar_row
from psycopg.types.json import Jsonb, set_json_loads
from psycopg_pool import ConnectionPool
from pydantic_core import from_json

from mixpeek import on_loop
from mixpeek.db.connection import LoopConnection
from mixpeek.db.origin import origin
from mixpeek.errors import ServiceUnavailable

Connection = psycopg.Connection[Any]
Row = TypeVar("Row")

# Reading JSON is a good part of what a batch does here; this reader keeps whole numbers of any size, as json's does.
set_json_loads(from_json)

# How many candidates a search by an HNSW index keeps, unless it asks for more.
CANDIDATES = 200
# How long a connection that nobody needs is kept.
MAX_IDLE_S = 30.0
# How long code on a loop waits for a connection, before it is left to a thread.
_ON_LOOP_S = 0.2
# Of PostgreSQL's error classes: 57P a server that ends, crashed or comes up; 08 a broken connection; 25006 a standby
# that was promoted the other way; 53300 no connection left.
_AWAY = ("57P", "08", "25006", "53300")


def is_away(error: psycopg.Error) -> bool:
    """Tell whether an error says that the database is not there for now, which ends by itself. Pure."""
    if error.sqlstate is None:
        # The connection broke, or none could be had.
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_AWAY)


def _ready_for_searches(connection: Connection) -> None:
    """Set what nearly every search needs, so that it is one statement and no more."""
    connection.execute(
        "SELECT set_config('hnsw.ef_search', %s, false), set_config('hnsw.iterative_scan', 'strict_order', false),"
        # Searches that run at the same time need the processors for themselves.
        " set_config('max_parallel_workers_per_gather', '0', false)",
        [str(CANDIDATES)],
    )
    connection.commit()


class _LatestFirst(ConnectionPool[Connection]):
    """Hands out the connection that was returned last, so that those beyond what is needed lie idle, and are closed.

    Taken in turns, which is the pool's own way, each question comes to a process whose memory is cold: with four of
    them a search took 0.4 ms more. Code on an event loop waits for one there, in a line of its own.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._on_loop: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        super().__init__(*arguments, **named)

    def _get_ready_connection(self, timeout: float | None) -> Connection | None:
        self._pool.rotate(1)
        return super()._get_ready_connection(timeout)

    def get_on_loop(self) -> Connection:
        """Return a connection to code on the event loop, which waits for one without holding up the loop.

        Raises: WouldBlock: none was free for long; threads wait in a queue, in which each has its turn.
        """
        ends_at = time.monotonic() + _ON_LOOP_S
        while (connection := self._get_if_ready()) is None:
            if time.monotonic() > ends_at:
                raise on_loop.WouldBlock
            on_loop.wait_for(self._returned())
        connection._pool = self  # as `getconn` does
        return connection

    def putconn(self, conn: Connection) -> None:
        """Take a connection back, and wake who waits for one on a loop."""
        super().putconn(conn)
        with contextlib.suppress(IndexError):
            while True:
                loop, waiting = self._on_loop.popleft()
                if not waiting.done():
                    loop.call_soon_threadsafe(_wake, waiting)
                    return

    def _get_if_ready(self) -> Connection | None:
        with self._lock:
            connection = self._get_ready_connection(None)
            if connection is None:
                self._maybe_grow_pool()
        return connection

    async def _returned(self) -> None:
        """Return when a connection has been returned, or soon: it may have been just before this was called."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        self._on_loop.append((loop, waiting))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(waiting, _ON_LOOP_S / 10)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class Database:
    """A pool of connections; `transaction()` is the only way to use one."""

    def __init__(self, url: str, *, max_connections: int = 12, wait_s: float = 15.0) -> None:
        """Use at most so many connections at once, and wait for a free one no longer than `wait_s`."""
        self.url = url
        self._most = max_connections
        self._pool = _LatestFirst(
            url,
            min_size=1,
            max_size=max_connections,
            # Each takes the database some 4 MB, used or not.
            max_idle=MAX_IDLE_S,
            open=False,
            timeout=wait_s,
            configure=_ready_for_searches,
            connection_class=LoopConnection,
        )

    def open(self, timeout_s: float = 30.0) -> None:
        """Connect, waiting for the server to come up.

        Raises: ServiceUnavailable: no connection within `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=3).close()
                break
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise ServiceUnavailable(
                        f"PostgreSQL does not answer: {error}", hint="Check `MIXPEEK_DATABASE_URL` and that it runs"
                    ) from error
                time.sleep(0.02)
        self._pool.open(wait=True)

    def open_lazily(self) -> None:
        """Connect when first used: the server may not be there."""
        self._pool.open(wait=False)

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        connection = self._living()
        try:
            with connection:
                yield connection
        except psycopg.errors.ReadOnlySqlTransaction:
            connection.close()  # a primary that became a replica: the next connection is made to the new one
            raise
        finally:
            self._pool.putconn(connection)

    def _living(self) -> Connection:
        """Take a connection that works, so that a restarted database costs no request.

        The pool can check what it hands out, but waits ever longer after each that is dead: with four of them, until
        its time is over. There are no more of them than it holds. A server that ends says so, or is heard to hang up:
        only a connection on which something came unasked is checked by a question.
        """
        for _ in range(self._most):
            connection = self._pool.get_on_loop() if on_loop.is_here() else self._pool.getconn()
            if not _has_come(connection):
                return connection
            try:
                ConnectionPool.check_connection(connection)
            except psycopg.OperationalError:
                self._pool.putconn(connection)  # which discards it, and makes another
            except BaseException:
                self._pool.putconn(connection)
                raise
            else:
                return connection
        if on_loop.is_here():
            raise on_loop.WouldBlock
        return self._pool.getconn()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection on which every statement is a transaction of its own.

        For who reads only, and often: beginning and ending a transaction takes as long as a short statement.
        """
        connection = self.take_for_reading()
        try:
            yield connection
        finally:
            self.give_back(connection)

    def take_for_reading(self) -> Connection:
        """Return what `reading` yields; whoever takes it gives it back."""
        connection = self._living()
        try:
            connection.autocommit = True
        except BaseException:
            self._pool.putconn(connection)
            raise
        return connection

    def give_back(self, connection: Connection) -> None:
        """Return a connection that was taken for reading."""
        try:
            if not connection.closed:
                connection.autocommit = False
        finally:
            self._pool.putconn(connection)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection inside one transaction: committed on success, rolled back on any exception."""
        with self._connection() as connection:
            cause = origin.get()
            if cause is not None and cause.writes:
                connection.execute("SELECT set_config('mixpeek.origin', %s, true)", [cause.json()])
            yield connection


def _has_come(connection: Connection) -> bool:
    """Tell whether there is something to read on a connection that nobody has asked anything on, its end included."""
    if connection.closed:
        return True
    events = select.poll()
    events.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(events.poll(0))


def all_rows(
    connection: Connection, row: type[Row], sql: LiteralString, params: Sequence[Any] | dict[str, Any] = ()
) -> list[Row]:
    """Run `sql` and return every result as a `row` dataclass."""
    with connection.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(sql, params).fetchall()


def first_row(
    connection: Connection, row: type[Row], sql: LiteralString, params: Sequence[Any] | dict[str, Any] = ()
) -> Row | None:
    """Run `sql` and return its first result as a `row` dataclass, or None."""
    with connection.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(sql, params).fetchone()


def scalar(connection: Connection, sql: LiteralString, params: Sequence[Any] | dict[str, Any] = ()) -> Any:
    """Run `sql` and return the first column of its first row, or None."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(sql, params).fetchone()


def dict_rows(
    connection: Connection, sql: LiteralString, params: Sequence[Any] | dict[str, Any] = ()
) -> list[dict[str, Any]]:
    """Run `sql` and return every result as a dictionary."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, params).fetchall()


def dict_rows_planned_anew(
    connection: Connection, sql: LiteralString, params: Sequence[Any] | dict[str, Any] = ()
) -> list[dict[str, Any]]:
    """Run `sql` as `dict_rows` does, but always planned for these parameters: a plan for any filter is bad for most."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, params, prepare=False).fetchall()


def insert_new(connection: Connection, table: LiteralString, row: Mapping[str, Any], json: Collection[str]) -> bool:
    """Insert a row, named by column; False when another has one of its keys. `json` names the columns of JSON."""
    values = ", ".join(f"%({name})s" for name in row)
    cursor = connection.execute(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values}) ON CONFLICT DO NOTHING",
        {name: Jsonb(value) if name in json else value for name, value in row.items()},
    )
    return cursor.rowcount == 1


def new_id(prefix: str, length: int = 16) -> str:
    """Return a fresh identifier such as `bkt_9f3c…`: the prefix and `length` random hex digits."""
    return f"{prefix}_{os.urandom((length + 1) // 2).hex()[:length]}"
