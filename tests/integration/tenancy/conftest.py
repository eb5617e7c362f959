"""A database of one's own, migrated, with one organization in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from factories.fresh_database import FreshDatabase
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.pool import Connection, Database
from mixpeek.tenancy.service import bootstrap

ADMIN_KEY = "sk_test_admin_of_these_tests"


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory, fresh_database: FreshDatabase) -> Iterator[Database]:
    data_dir = tmp_path_factory.mktemp("tenancy")
    fresh_database.copy_to(data_dir)
    postgres = EmbeddedPostgres(data_dir)
    postgres.start()
    try:
        pool = Database(postgres.url, max_connections=4)
        pool.open()
        with pool.transaction() as connection:
            bootstrap(connection, ADMIN_KEY)
        yield pool
        pool.close()
    finally:
        postgres.stop()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A transaction that is undone after the test."""
    with database.transaction() as open_one:
        yield open_one
        open_one.rollback()


@pytest.fixture
def admin_key() -> str:
    """The key that the database was made with."""
    return ADMIN_KEY


@pytest.fixture
def organization_id(database: Database) -> str:
    with database.transaction() as own:
        return bootstrap(own, ADMIN_KEY)
