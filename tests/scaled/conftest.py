"""Servers of other makers, databases with a replica, and fleets of servers on one of them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripts.scaled.database import Pair, running_pair

from factories.fleets import Fleet
from factories.seaweed import Seaweed

MakeFleet = Callable[..., Fleet]


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """A real S3 server; whoever kills it starts it again."""
    running = Seaweed(tmp_path_factory.mktemp("seaweed"))
    try:
        yield running.start()
    finally:
        running.discard()


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A primary and its replica that tests share; none of them ends either."""
    with running_pair(tmp_path_factory.mktemp("pair")) as running:
        yield running


@pytest.fixture
def make_fleet(tmp_path: Path) -> Iterator[MakeFleet]:
    """Make fleets on a fresh database of a pair."""
    made: list[Fleet] = []

    def make(pair: Pair, **settings: str) -> Fleet:
        name = f"test_{secrets.token_hex(6)}"
        variables = {f"MIXPEEK_{key.upper()}": value for key, value in settings.items()}
        made.append(Fleet(tmp_path / name, pair.create_database(name), variables))
        return made[-1]

    yield make
    for fleet in made:
        fleet.discard()
