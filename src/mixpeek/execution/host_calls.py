"""What is asked of a host over its connection, wherever its process runs: each verb, and the check of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mixpeek.execution.asks.veil import Veil
from mixpeek.execution.connection import Answer, Connection
from mixpeek.execution.host_log import HostLog
from mixpeek.execution.port import (
    CALL_TIMEOUT_S,
    DESCRIBE_TIMEOUT_S,
    START_TIMEOUT_S,
    TESTS_TIMEOUT_S,
    Awaiting,
    DescribedPart,
    Description,
    Health,
    Isolation,
    Libraries,
    PartialRun,
    Reported,
    Step,
)
from mixpeek.execution.replies import (
    batch_size_from,
    description_from,
    exit_code_from,
    health_from,
    prediction_from,
    steps_from,
)
from mixpeek.execution.tables import from_stream, partial_run_from, to_stream

if TYPE_CHECKING:
    import pyarrow as pa


class HostCalls:
    """The part of `Host` that asks; what a process is and how it ends is left to who inherits.

    Args:
        connection: the host's socket, or what will be it.
        veil: covers the secrets that the host is given.
        log: where its output is kept, if it is.
    """

    def __init__(self, connection: Connection, veil: Veil, log: HostLog | None) -> None:
        self._connection = connection
        self._veil = veil
        self._log = log

    @property
    def reported(self) -> Reported | None:
        """How far the step that runs says it is; only of a host whose output is kept."""
        return self._log.reported if self._log else None

    @property
    def running_call(self) -> tuple[int, float] | None:
        """The call under way, as a number and its time limit in seconds; None while nobody waits."""
        return self._connection.running_call

    @property
    def calls_begun(self) -> int:
        """A number that grows with each call."""
        return self._connection.calls_begun

    def cover(self, text: str) -> str:
        """Return the plugin's words without the secrets that it was given."""
        return self._veil.cover(text)

    async def describe(
        self, part: DescribedPart | None = None, *, timeout_s: float = DESCRIBE_TIMEOUT_S
    ) -> Description:
        """Return what the plugin declares; see `Host.describe`."""
        result, _ = await self._ask("describe", {"part": part}, b"", timeout_s)
        return description_from(result)

    async def build(
        self,
        parameters: Mapping[str, Any] | None = None,
        *,
        feature_extractor_name: str | None = None,
        version: str | None = None,
        timeout_s: float = DESCRIBE_TIMEOUT_S,
    ) -> tuple[Step, ...]:
        """Build the pipeline that later runs use; name and version default to the manifest's."""
        identity = {"feature_extractor_name": feature_extractor_name, "version": version}
        result, _ = await self._ask("build", {"parameters": dict(parameters or {}), **identity}, b"", timeout_s)
        return steps_from(result)

    async def run(
        self,
        table: pa.Table,
        steps: Sequence[int] | None = None,
        *,
        batch_rows: int | None = None,
        explodes: bool = False,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> pa.Table:
        """Run steps over a table; see `Host.run`."""
        body = await asyncio.to_thread(to_stream, table)
        asked = {"batch_rows": batch_rows, "explodes": explodes}
        _, reply = await self.run_stream(body, steps, asked, timeout_s=timeout_s)
        return await asyncio.to_thread(partial(from_stream, explodes=explodes), reply, table)

    async def run_isolated(self, table: pa.Table, isolation: Isolation, *, timeout_s: float) -> PartialRun:
        """Run all enabled steps over a table, rows that fail left out; see `Host.run_isolated`."""
        body = await asyncio.to_thread(to_stream, table)
        answer = await self.run_stream(body, None, isolation.wire(), timeout_s=timeout_s)
        read = partial(partial_run_from, explodes=isolation.explodes, cover=self.cover)
        return await asyncio.to_thread(read, answer, table)

    async def run_stream(
        self, body: bytes, steps: Sequence[int] | None, asked: Mapping[str, Any], *, timeout_s: float
    ) -> Answer:
        """Run steps over an Arrow stream and return the host's own result and stream, both unchecked.

        Args: asked: how, beside the steps, as the host takes it.
        """
        fields = {"steps": None if steps is None else list(steps), **asked}
        return await self._ask("run", fields, body, timeout_s)

    async def predict(
        self, inputs: Any, parameters: Mapping[str, Any] | None = None, *, timeout_s: float = CALL_TIMEOUT_S
    ) -> Any:
        """Answer one realtime request."""
        fields = {"inputs": inputs, "parameters": dict(parameters) if parameters else None}
        result, _ = await self._ask("predict", fields, b"", timeout_s)
        return prediction_from(result)

    def post(self, body: bytes, answer: Awaiting, *, alone: bool = False, timeout_s: float = CALL_TIMEOUT_S) -> None:
        """Send one realtime request without waiting; see `Host.post`."""
        self._connection.post(body, answer, alone=alone, timeout_s=timeout_s)

    def linger(self) -> None:
        """Wait on the spot for the one reply that is due; see `Host.linger`."""
        self._connection.linger()

    async def warmup(self, *, batch_size: int = 1, timeout_s: float = START_TIMEOUT_S) -> int:
        """Load everything the first call would load; return how many requests one call will answer at most."""
        result, _ = await self._ask("warmup", {"batch_size": batch_size}, b"", timeout_s)
        return batch_size_from(result, batch_size)

    async def import_libraries(self, libraries: Libraries, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Import libraries ahead of the first call; see `Host.import_libraries`."""
        await self._ask("libraries", {"modules": libraries.modules, "pytest": libraries.pytest}, b"", timeout_s)

    async def tests(self, *, timeout_s: float = TESTS_TIMEOUT_S) -> int:
        """Run the plugin's own tests; see `Host.tests`."""
        result, _ = await self._ask("tests", {}, b"", timeout_s)
        return exit_code_from(result)

    async def health(self, *, timeout_s: float = 5.0) -> Health:
        """Return how the host is doing, also while a call is running."""
        result, _ = await self._ask("health", {}, b"", timeout_s)
        return health_from(result)

    async def _ask(self, verb: str, fields: dict[str, Any], body: bytes, timeout_s: float) -> Answer:
        return await self._connection.ask(verb, fields, body, timeout_s)
