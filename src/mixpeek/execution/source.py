"""Where a server gets its hosts from, whichever implementation it runs: `local` or `ray`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mixpeek.execution.grants import Grants
from mixpeek.execution.port import (
    START_TIMEOUT_S,
    TESTS_TIMEOUT_S,
    Host,
    HostSpec,
    PytestResult,
    Reply,
)


class StreamHost(Host, Protocol):
    """A host that also takes tables as the bytes they travel as, for callers who encode them in a thread of theirs."""

    async def run_stream(
        self, body: bytes, steps: Sequence[int] | None, asked: Mapping[str, Any], *, timeout_s: float
    ) -> Reply:
        """Run steps over an Arrow stream and return the host's own result and stream, both unchecked."""

    def cover(self, text: str) -> str:
        """Return the plugin's words without the secrets that it was given."""


class HostSource(Protocol):
    """An `Execution` that says what it grants."""

    @property
    def grants(self) -> Grants:
        """What hosts may have beyond a processor."""

    def processors(self) -> int:
        """Return how many processors the machines of its hosts have by now; raise ServiceUnavailable. Blocks."""

    async def start(self, spec: HostSpec, *, timeout_s: float = START_TIMEOUT_S) -> StreamHost:
        """Start a host and return it once it answers."""

    async def pytest(self, spec: HostSpec, *, timeout_s: float = TESTS_TIMEOUT_S) -> PytestResult:
        """Run the plugin's own tests in a host of their own."""

    async def close(self) -> None:
        """End every host started here."""
