"""A local server and a client of it, for every test of the client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from factories.local_server import LocalServer
from mixpeek import Mixpeek


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MIXPEEK_API_KEY", "MIXPEEK_NAMESPACE", "MIXPEEK_BASE_URL", "MIXPEEK_API_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


@pytest.fixture
def client(server: LocalServer) -> Iterator[Mixpeek]:
    with Mixpeek(api_key="sk_test", base_url=server.url, namespace="ns_1") as made:
        yield made
