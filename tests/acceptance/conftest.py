"""What acceptance tests use beside the shared server: plain HTTP, and servers of their own that they may kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from factories.servers import API_KEY, MakeServer, Server
from mixpeek import Mixpeek


@pytest.fixture
def http(server: Server, client: Mixpeek) -> Iterator[httpx.Client]:
    """Plain HTTP to the shared server: key sent, `base_url` ending in /v1, in the namespace of `client`."""
    headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
    # Plain HTTP: without certificates, which take longer to read than most requests.
    with httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=60, verify=False) as own:
        yield own


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Make servers that a test may kill, each with a data dir of its own unless one is given."""
    made: list[Server] = []

    def make(data_dir: Path | None = None, **settings: str) -> Server:
        variables = {f"MIXPEEK_{name.upper()}": value for name, value in settings.items()}
        made.append(Server(data_dir or tmp_path / f"data{len(made)}", variables))
        return made[-1]

    yield make
    for own in made:
        own.discard()
