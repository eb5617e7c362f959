"""What contract tests use beside the shared server: the documented routes, over plain HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from factories.servers import Server
from factories.surface import Surface, surface_of
from mixpeek import Mixpeek


@pytest.fixture
def surface(server: Server, client: Mixpeek) -> Iterator[Surface]:
    """The plugins surface of the namespace of `client`."""
    own = surface_of(server, client.namespace or "")
    with own.http:
        yield own
