"""Migrating a database: from nothing to the newest revision, once, and never behind a newer program's back."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from factories.waiting import until
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.pool import Database, all_rows, first_row, new_id, scalar
from mixpeek.db.schema import current, head, migrate, revisions, standing, wait_until_migrated
from mixpeek.errors import PlatformError, ServiceUnavailable

NewDatabase = Callable[[], str]


@pytest.fixture
def new_database(postgres: EmbeddedPostgres) -> NewDatabase:
    def make() -> str:
        name = f"db_{secrets.token_hex(4)}"
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return postgres.url.replace("/postgres?", f"/{name}?")

    return make


def test_a_new_database_goes_to_the_newest_revision(new_database: NewDatabase) -> None:
    url = new_database()
    before = current(url)

    migrate(url)

    assert before is None
    assert current(url) == head() == max(revisions())
    wait_until_migrated(url, timeout_s=5)


def test_servers_that_start_together_migrate_once(new_database: NewDatabase) -> None:
    url = new_database()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(migrate, url) for _ in range(3)]:
            done.result(60)

    assert current(url) == head()


def test_a_database_of_a_newer_program_is_left_as_it_is(new_database: NewDatabase) -> None:
    url = new_database()
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE schema_floor SET revision = '9998'")

    with pytest.raises(PlatformError, match="revision 9999"):
        migrate(url)
    with pytest.raises(PlatformError, match="revision 9999"):
        wait_until_migrated(url, timeout_s=5)

    assert current(url) == "9999"


def test_a_database_to_which_a_newer_program_only_added_is_run_on(new_database: NewDatabase) -> None:
    url = new_database()
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    migrate(url)
    wait_until_migrated(url, timeout_s=5)

    assert current(url) == "9999"
    with pytest.raises(PlatformError, match="revision 9999"):
        migrate(url, head())


def test_a_database_goes_to_the_revision_that_is_named_and_not_back(new_database: NewDatabase) -> None:
    url = new_database()
    first, second = sorted(revisions())[:2]

    migrate(url, second)
    at = current(url)
    with pytest.raises(PlatformError, match=f"past {first}"):
        migrate(url, first)
    with pytest.raises(PlatformError, match="no schema revision 0000"):
        migrate(url, "0000")
    with psycopg.connect(url) as connection:
        pending = standing(connection).pending
    migrate(url)

    assert at == second
    assert pending == tuple(sorted(revisions())[2:])
    assert current(url) == head()


def test_a_migration_gives_up_a_table_in_use_and_tries_again(
    new_database: NewDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    url = new_database()
    earlier, later = sorted(revisions())[:2]
    migrate(url, earlier)
    with psycopg.connect(url) as reader, ThreadPoolExecutor(1) as pool:
        reader.execute("SELECT 1 FROM api_keys")  # which that migration alters

        with pytest.raises(PlatformError, match="could not be locked"):
            migrate(url, later, wait_s=0)
        waiting = pool.submit(migrate, url, later)
        until(lambda: "a table is in use" in caplog.text, what="the migration gave up once")
        reader.rollback()
        waiting.result(60)

    assert current(url) == later


def test_waiting_programs_are_held_up_no_longer_than_a_try(new_database: NewDatabase) -> None:
    url = new_database()
    earlier, later = sorted(revisions())[:2]
    migrate(url, earlier)
    with psycopg.connect(url) as backup, psycopg.connect(url) as other, ThreadPoolExecutor(1) as pool:
        backup.execute("SELECT 1 FROM api_keys")
        migrating = pool.submit(migrate, url, later)
        with psycopg.connect(url, autocommit=True) as watching:
            until(
                lambda: scalar(watching, "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"),
                what="the migration waits for the table",
            )

        other.execute("SELECT 1 FROM api_keys")

        assert not migrating.done()
        backup.rollback()
        other.rollback()
        migrating.result(60)


def test_waiting_for_a_migration_that_nobody_makes_ends(new_database: NewDatabase) -> None:
    with pytest.raises(PlatformError, match="did not reach"):
        wait_until_migrated(new_database(), timeout_s=0.2)


def test_a_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("CREATE TABLE kept (n int)")
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
        raise ZeroDivisionError
    with database.transaction() as connection:
        connection.execute("INSERT INTO kept VALUES (2)")

    with database.transaction() as connection:
        assert scalar(connection, "SELECT array_agg(n) FROM kept") == [2]
        assert scalar(connection, "SELECT n FROM kept WHERE n = 3") is None
        connection.execute("DROP TABLE kept")


def test_connections_that_the_server_ended_cost_no_request(database: Database) -> None:
    together = threading.Barrier(6)

    def use() -> None:
        with database.transaction():
            together.wait(10)

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(use) for _ in range(6)]:
            done.result()
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                      " AND datname = current_database() AND state = 'idle'")  # fmt: skip

    asked_at = time.monotonic()
    with database.transaction() as connection:
        assert scalar(connection, "SELECT 1") == 1
    assert time.monotonic() - asked_at < 5


def test_a_database_that_does_not_answer_is_said_to_be_unavailable() -> None:
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        Database("postgresql://nobody@/none?host=/nonexistent").open(timeout_s=0.1)


def test_ids_have_their_prefix_and_do_not_repeat() -> None:
    made = {new_id("bkt", 15) for _ in range(1000)}

    assert len(made) == 1000
    assert all(identifier.startswith("bkt_") and len(identifier) == 19 for identifier in made)


def test_rows_become_dataclasses(database: Database) -> None:
    from mixpeek.documents.port import Index

    with database.transaction() as connection:
        found = all_rows(connection, Index, "SELECT 'col_' || n AS collection_id, n AS generation"
                         " FROM generate_series(1, 2) n")  # fmt: skip
        none = first_row(connection, Index, "SELECT 'c' AS collection_id, 1 AS generation WHERE false")

    assert found == [Index("col_1", 1), Index("col_2", 2)]
    assert none is None
