"""A platform whose hosts are staged, over a real database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from factories.rollout_walks import Platform
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.pool import Database


@pytest.fixture(scope="module")
def platform(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform with connections of its own: walks end many of them."""
    database = Database(postgres.url)
    database.open()
    made = Platform.in_folder(database, tmp_path_factory.mktemp("staged"))
    yield made
    made.blocking.close()
    database.close()
