"""Statements of code on the event loop: the loop goes on while the database works."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from mixpeek import on_loop
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.pool import Connection, Database, scalar


@pytest.fixture
def few(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A pool of two connections, both there."""
    pool = Database(postgres.url, max_connections=2)
    pool.open()
    with pool.reading(), pool.reading():
        pass
    yield pool
    pool.close()


def asked(database: Database, sql: str) -> Callable[[], Any]:
    def ask() -> Any:
        with database.reading() as connection:
            return scalar(connection, sql)

    return ask


def test_statements_of_one_loop_run_at_once_and_the_loop_goes_on(few: Database) -> None:
    # Each waits for a lock that the other holds, or the loop: one after the other, neither would ever end.
    async def scenario() -> tuple[Any, Any, Any]:
        with few.reading() as held:
            held.execute("SELECT pg_advisory_lock(7001)")
            waits = asyncio.create_task(on_loop.run(asked(few, "SELECT pg_advisory_xact_lock(7001)::text || 'had it'")))
            await asyncio.sleep(0)
            assert not waits.done()
            held.execute("SELECT pg_advisory_unlock(7001)")
            return await waits, await on_loop.run(asked(few, "SELECT 1")), few

    assert asyncio.run(scenario())[:2] == ("had it", 1)


def test_transactions_are_committed_and_rolled_back(few: Database) -> None:
    def write(fails: bool) -> None:
        with few.transaction() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS on_loop (n int)")
            connection.execute("INSERT INTO on_loop VALUES (1)")
            if fails:
                connection.execute("SELECT 1 / 0")

    async def scenario() -> Any:
        await on_loop.run(lambda: write(False))
        with pytest.raises(psycopg.errors.DivisionByZero):
            await on_loop.run(lambda: write(True))
        return await on_loop.run(asked(few, "SELECT count(*) FROM on_loop"))

    try:
        assert asyncio.run(scenario()) == 1
    finally:
        with few.transaction() as connection:
            connection.execute("DROP TABLE on_loop")


def test_where_no_connection_is_free_it_would_block(few: Database) -> None:
    async def scenario() -> None:
        with few.reading(), few.reading(), pytest.raises(on_loop.WouldBlock):
            await on_loop.run(asked(few, "SELECT 1"))
        assert await on_loop.run(asked(few, "SELECT 1")) == 1

    asyncio.run(scenario())


def test_more_than_there_are_connections_wait_for_one_in_turn(few: Database) -> None:
    async def scenario() -> list[Any]:
        return await asyncio.gather(*(on_loop.run(asked(few, f"SELECT {number}")) for number in range(50)))

    assert asyncio.run(scenario()) == list(range(50))


def test_a_connection_that_a_thread_returns_is_taken_by_who_waits_on_the_loop(few: Database) -> None:
    async def scenario() -> Any:
        with few.reading():
            held = few.take_for_reading()
            waits = asyncio.create_task(on_loop.run(asked(few, "SELECT 1")))
            await asyncio.sleep(0)
            assert not waits.done()
            await asyncio.to_thread(few.give_back, held)
            return await waits

    assert asyncio.run(scenario()) == 1


def test_a_cancelled_statement_leaves_no_connection_in_the_middle_of_an_answer(few: Database) -> None:
    async def scenario() -> list[Any]:
        running = asyncio.create_task(on_loop.run(asked(few, "SELECT pg_sleep(60)")))
        await asyncio.sleep(0)  # it has been sent
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return [await asyncio.to_thread(asked(few, "SELECT 1")) for _ in range(4)]

    assert asyncio.run(scenario()) == [1] * 4


def test_a_connection_that_breaks_meanwhile_is_an_error_and_the_next_one_works(few: Database) -> None:
    def process_of(connection: Connection) -> Any:
        return scalar(connection, "SELECT pg_backend_pid()")

    def die() -> None:
        with few.reading() as connection, few.reading() as other:
            other.execute("SELECT pg_terminate_backend(%s)", [process_of(connection)])
            connection.execute("SELECT pg_sleep(60)")

    async def scenario() -> Any:
        with pytest.raises(psycopg.OperationalError):
            await on_loop.run(die)
        return await on_loop.run(asked(few, "SELECT 1"))

    assert asyncio.run(scenario()) == 1
