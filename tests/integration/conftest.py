"""A real PostgreSQL of one's own: the embedded one, migrated, without a server around it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from factories.collector import Collector
from mixpeek import tracing
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.pool import Database
from mixpeek.db.schema import migrate


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running, migrated PostgreSQL that tests of this session share."""
    embedded = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    embedded.start()
    try:
        migrate(embedded.url)
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
