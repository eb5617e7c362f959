"""A real PostgreSQL of one's own: the embedded one, migrated, without a server around it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from factories.collector import Collector
from factories.fresh_database import FreshDatabase
from mixpeek import tracing
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.pool import Database


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, fresh_database: FreshDatabase) -> Iterator[EmbeddedPostgres]:
    """A running, migrated PostgreSQL that tests of this session share."""
    data_dir = tmp_path_factory.mktemp("postgres")
    fresh_database.copy_to(data_dir)
    embedded = EmbeddedPostgres(data_dir)
    embedded.start()
    try:
        yield embedded
    finally:
        embedded.stop()


@pytest.fixture(scope="session")
def database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A pool of connections to it."""
    pool = Database(postgres.url)
    pool.open()
    yield pool
    pool.close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that this process sends its traces to; `tracing.end()` sends what it still has."""
    with Collector() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        tracing.begin("mixpeek-test")
        try:
            yield running
        finally:
            tracing.end()
