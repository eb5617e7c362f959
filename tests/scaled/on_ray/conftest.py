"""A Ray cluster, and servers that run plugins on it. Ray is an optional package: without it these tests are skipped."""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripts.scaled.cluster import RayCluster

from factories.servers import MakeServer, Server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("ray") is None:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="needs Ray: pip install 'mixpeek[ray]'"))


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Make servers with these settings, each with a data dir of its own."""
    made: list[Server] = []

    def make(**settings: str) -> Server:
        variables = {f"MIXPEEK_{name.upper()}": value for name, value in settings.items()}
        made.append(Server(tmp_path / f"data{len(made)}", variables))
        return made[-1].start(within_s=120)

    yield make
    for own in made:
        own.discard()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[RayCluster]:
    """A cluster of its own, as the test kills nodes of it; servers started meanwhile hold its token."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with RayCluster() as running:
        yield running
