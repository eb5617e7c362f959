"""One server for nearly every acceptance test, and a namespace of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from factories.commands import Command, Ran, run_command
from factories.plugins import MakePlugin, write_plugin
from factories.servers import API_KEY, MakeServer, Server

from mixpeek import Mixpeek


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that tests share; it must end cleanly when they are done."""
    running = Server(tmp_path_factory.mktemp("shared") / "data", {"MIXPEEK_BATCH_HOSTS": "1"})
    try:
        yield running.start()
        assert running.stop() == 0
        assert running.postmaster_pid() is None
    finally:
        running.discard()


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Make servers that a test may kill, each with a data dir of its own unless one is given."""
    made: list[Server] = []

    def make(data_dir: Path | None = None, **settings: str) -> Server:
        own = Server(
            data_dir or tmp_path / f"data{len(made)}", {f"MIXPEEK_{k.upper()}": v for k, v in settings.items()}
        )
        made.append(own)
        return own

    yield make
    for own in made:
        own.discard()


@pytest.fixture
def client(server: Server) -> Iterator[Mixpeek]:
    """A client in a fresh namespace of the shared server."""
    with server.client() as own:
        yield own


@pytest.fixture
def http(server: Server, client: Mixpeek) -> Iterator[httpx.Client]:
    """Plain HTTP to the shared server: key sent, `base_url` ending in /v1, in the namespace of `client`."""
    headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
    with httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=60) as own:
        yield own


@pytest.fixture
def make_plugin(tmp_path: Path) -> MakePlugin:
    """Write a plugin (`factories.plugins.write_plugin`) into a folder called as the plugin is."""

    def make(name: str = "small_words", *, into: str = "plugins", **parts: Any) -> Path:
        return write_plugin(tmp_path / into / name, **parts)

    return make


@pytest.fixture
def mix(server: Server, client: Mixpeek, tmp_path: Path) -> Command:
    """Run the installed command against the shared server, in the namespace of `client`."""

    settings = {
        "MIXPEEK_API_KEY": API_KEY,
        "MIXPEEK_BASE_URL": server.url,
        "MIXPEEK_NAMESPACE": client.namespace or "",
    }

    def run(*arguments: str | Path, cwd: Path | None = None, **variables: str) -> Ran:
        return run_command(*arguments, cwd=cwd or tmp_path, **{**settings, **variables})

    return run
