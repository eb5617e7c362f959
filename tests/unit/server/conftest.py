"""Servers that answer inference requests directly and by the ASGI route, shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from factories.direct_servers import Servers


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    serving = Servers()
    yield serving
    serving.close()
