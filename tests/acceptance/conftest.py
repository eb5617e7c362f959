"""What acceptance tests use beside the shared server: plain HTTP, a library to search, servers that they may kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from factories.library import Library, open_library
from factories.servers import API_KEY, MakeServer, Server
from mixpeek import Mixpeek
from mixpeek.db.embedded import EmbeddedPostgres


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


@pytest.fixture
def database(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server that no Mixpeek server started."""
    folder = tmp_path / "elsewhere"
    folder.mkdir(mode=0o700)
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    yield postgres
    postgres.stop()


@pytest.fixture(scope="session")
def library(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The collection that is searched in every way; nothing in it is changed."""
    with open_library(server, tmp_path_factory.mktemp("library")) as opened:
        yield opened


@pytest.fixture(scope="session")
def kept(library: Library) -> str:
    """A retriever over the library that is kept, by its name."""
    library.client.retrievers.create(
        "by_meaning",
        [
            library.stage("feature_search", searches=[library.search()]),
            library.stage("limit", limit="{{INPUT.most}}"),
        ],
        collection_identifiers=["library"],
        input_schema={"query": {"type": "text", "required": True}, "most": {"type": "integer", "default": 3}},
    )
    return "by_meaning"
