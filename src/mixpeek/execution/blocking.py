"""The same port for threads without a loop of their own: workflows and synchronous routes.

Calls run on a loop elsewhere, given or kept in a thread; tables are encoded and decoded in the caller's thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mixpeek.execution.grants import Grants
from mixpeek.execution.local import LocalExecution
from mixpeek.execution.needs import start_built
from mixpeek.execution.port import (
    CALL_TIMEOUT_S,
    DESCRIBE_TIMEOUT_S,
    START_TIMEOUT_S,
    TESTS_TIMEOUT_S,
    DescribedPart,
    Description,
    Health,
    HostSpec,
    Isolation,
    PartialRun,
    PytestResult,
    Reported,
    Step,
)
from mixpeek.execution.source import HostSource, StreamHost
from mixpeek.execution.tables import from_stream, partial_run_from, to_stream

if TYPE_CHECKING:
    import pyarrow as pa

Result = TypeVar("Result")


class BlockingHost:
    """A host whose calls block the calling thread; the methods are those of `Host`."""

    def __init__(self, host: StreamHost, loop: asyncio.AbstractEventLoop) -> None:
        self._host = host
        self._loop = loop

    @property
    def pid(self) -> int:
        """The outermost process of the host."""
        return self._host.pid

    @property
    def alive(self) -> bool:
        """Whether the host can still be asked."""
        return self._host.alive

    @property
    def reported(self) -> Reported | None:
        """How far the step that runs says it is; see `Host.reported`."""
        return self._host.reported

    def stderr_tail(self) -> str:
        """Return the last of what the plugin printed, on either stream."""
        return self._host.stderr_tail()

    def describe(self, part: DescribedPart | None = None, *, timeout_s: float = DESCRIBE_TIMEOUT_S) -> Description:
        """Return what the plugin declares; see `Host.describe`."""
        return _wait(self._host.describe(part, timeout_s=timeout_s), self._loop)

    def build(
        self,
        parameters: Mapping[str, Any] | None = None,
        *,
        feature_extractor_name: str | None = None,
        version: str | None = None,
        timeout_s: float = DESCRIBE_TIMEOUT_S,
    ) -> tuple[Step, ...]:
        """Build the pipeline that later runs use."""
        built = self._host.build(
            parameters, feature_extractor_name=feature_extractor_name, version=version, timeout_s=timeout_s
        )
        return _wait(built, self._loop)

    def run(
        self,
        table: pa.Table,
        steps: Sequence[int] | None = None,
        *,
        batch_rows: int | None = None,
        explodes: bool = False,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> pa.Table:
        """Run steps over a table; see `Host.run`."""
        asked = {"batch_rows": batch_rows, "explodes": explodes}
        reply = self._host.run_stream(to_stream(table), steps, asked, timeout_s=timeout_s)
        return from_stream(_wait(reply, self._loop)[1], table, explodes=explodes)

    def run_isolated(self, table: pa.Table, isolation: Isolation, *, timeout_s: float) -> PartialRun:
        """Run all enabled steps over a table, rows that fail left out; see `Host.run_isolated`."""
        reply = self._host.run_stream(to_stream(table), None, isolation.wire(), timeout_s=timeout_s)
        return partial_run_from(_wait(reply, self._loop), table, explodes=isolation.explodes, cover=self._host.cover)

    def predict(
        self, inputs: Any, parameters: Mapping[str, Any] | None = None, *, timeout_s: float = CALL_TIMEOUT_S
    ) -> Any:
        """Answer one realtime request."""
        return _wait(self._host.predict(inputs, parameters, timeout_s=timeout_s), self._loop)

    def warmup(self, *, batch_size: int = 1, timeout_s: float = START_TIMEOUT_S) -> int:
        """Load everything the first call would load; return how many requests one call will answer at most."""
        return _wait(self._host.warmup(batch_size=batch_size, timeout_s=timeout_s), self._loop)

    def health(self, *, timeout_s: float = 5.0) -> Health:
        """Return how the host is doing."""
        return _wait(self._host.health(timeout_s=timeout_s), self._loop)

    def close(self) -> None:
        """End the host."""
        _wait(self._host.close(), self._loop)


class BlockingExecution:
    """Starts hosts for threads; use as a context manager, or call `close`.

    With `loop`, that running loop is used (never call from its own thread); without, a thread is kept for one.
    """

    def __init__(self, execution: HostSource | None = None, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._execution: HostSource = execution or LocalExecution()
        self._thread: threading.Thread | None = None
        if loop is None:
            loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=loop.run_forever, name="plugin-hosts", daemon=True)
            self._thread.start()
        self._loop = loop

    def __enter__(self) -> BlockingExecution:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, spec: HostSpec, *, timeout_s: float = START_TIMEOUT_S) -> BlockingHost:
        """Start a host and return it once it answers."""
        return BlockingHost(_wait(self._execution.start(spec, timeout_s=timeout_s), self._loop), self._loop)

    def begin_start_built(
        self,
        spec: HostSpec,
        parameters: Mapping[str, Any] | None = None,
        *,
        version: str | None = None,
        timeout_s: float = START_TIMEOUT_S,
    ) -> concurrent.futures.Future[tuple[BlockingHost, tuple[Step, ...]]]:
        """Begin what `start_built` does; a future that is cancelled leaves no host behind."""

        async def start() -> tuple[BlockingHost, tuple[Step, ...]]:
            started = await start_built(self._execution, spec, parameters, version=version, timeout_s=timeout_s)
            if future.cancelled():
                await started.host.close()
            return BlockingHost(started.host, self._loop), started.steps

        future = asyncio.run_coroutine_threadsafe(start(), self._loop)
        return future

    def start_built(
        self,
        spec: HostSpec,
        parameters: Mapping[str, Any] | None = None,
        *,
        version: str | None = None,
        timeout_s: float = START_TIMEOUT_S,
    ) -> tuple[BlockingHost, tuple[Step, ...]]:
        """Start a host with what its pipeline needs, built; see `needs.start_built`."""
        return self.begin_start_built(spec, parameters, version=version, timeout_s=timeout_s).result()

    def pytest(self, spec: HostSpec, *, timeout_s: float = TESTS_TIMEOUT_S) -> PytestResult:
        """Run the plugin's own tests in a host of their own."""
        return _wait(self._execution.pytest(spec, timeout_s=timeout_s), self._loop)

    @property
    def grants(self) -> Grants:
        """What this machine grants to hosts."""
        return self._execution.grants

    @property
    def execution(self) -> HostSource:
        """The execution these calls go to; its coroutines belong into `call`."""
        return self._execution

    def call(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the hosts' loop and return its result."""
        return _wait(work, self._loop)

    def close(self) -> None:
        """End every host started here, and the loop if it is ours."""
        if self._loop.is_closed():
            return
        _wait(self._execution.close(), self._loop)
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()


def _wait(work: Coroutine[Any, Any, Result], loop: asyncio.AbstractEventLoop) -> Result:
    return asyncio.run_coroutine_threadsafe(work, loop).result()
