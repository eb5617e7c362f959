"""A host that is a child process of this one: what is asked of it, and what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from mixpeek.contract.asking import READ_BYTES
from mixpeek.errors import PluginCrashed, PluginError
from mixpeek.execution.asks.channel import AskChannel
from mixpeek.execution.asks.veil import Veil
from mixpeek.execution.connection import Answer, Connection
from mixpeek.execution.egress.gate import Gate
from mixpeek.execution.egress.handover import Handover
from mixpeek.execution.egress.policy import EgressPolicy
from mixpeek.execution.egress.proxy import Proxy
from mixpeek.execution.host_log import HostLog
from mixpeek.execution.host_process import Descriptors, HostProcess, ending
from mixpeek.execution.port import (
    CALL_TIMEOUT_S,
    DESCRIBE_TIMEOUT_S,
    START_TIMEOUT_S,
    TESTS_TIMEOUT_S,
    Awaiting,
    DescribedPart,
    Description,
    Health,
    HostSpec,
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
from mixpeek.execution.watchdog import Watchdog, innermost, usage_of
from mixpeek.host.patience import kept_waiting_s

if TYPE_CHECKING:
    import pyarrow as pa

_SO_SNDBUFFORCE = 32  # as Linux numbers it
_TAIL_BYTES = 256 * 1024
_CLOSE_GRACE_S = 1.0

_watchdog = Watchdog()


class LocalHost:
    """A host that is a child process of this one; see `Host` in `execution.port`."""

    def __init__(self, log: HostLog | None, asks: AskChannel, veil: Veil) -> None:
        self._log = log
        self._asks = asks
        self._veil = veil
        self._process = HostProcess(_TAIL_BYTES, self._note_exit, self._end_for, log, veil)
        self._connection = Connection(self._note_broken, veil)
        self._burial: asyncio.Task[None] | None = None
        self._is_closed = False
        self._gate: Gate | None = None
        self._loop = asyncio.get_running_loop()

    async def start(
        self, spec: HostSpec, mode: Literal["bubblewrap", "off"], timeout_s: float, egress: EgressPolicy
    ) -> None:
        """Spawn the process and wait until it answers; one with a network reaches it through a proxy of its own."""
        if spec.network and mode == "bubblewrap":
            self._gate = Gate(Proxy(egress, spec.label or spec.name))
        ours, theirs = socket.socketpair()
        asking, answering = socket.socketpair()
        try:
            await self._spawn(spec, mode, theirs, asking, timeout_s)
        except BaseException:
            ours.close()
            answering.close()
            await self.close()
            raise
        finally:
            theirs.close()
            asking.close()
        ours.setblocking(False)
        answering.setblocking(False)
        _have_room(answering, READ_BYTES)
        try:
            await self._loop.create_connection(lambda: self._asks, sock=answering)
            await self._loop.create_connection(lambda: self._connection, sock=ours)
            if spec.background:
                self._connection.allow_for(lambda: kept_waiting_s(innermost(self.pid)))
            await self.health(timeout_s=timeout_s)
            await self._have_watched(spec)
        except BaseException:  # also if whoever asked has given up
            answering.close()
            await self.close()
            raise

    async def _have_watched(self, spec: HostSpec) -> None:
        # It has answered and runs no plugin code yet: its processes are all there, and will stay the same.
        watch = asyncio.to_thread(
            _watchdog.watch, self, self.pid, memory_bytes=spec.memory_bytes, background=spec.background
        )
        watching = asyncio.ensure_future(watch)
        try:
            await asyncio.shield(watching)
        except asyncio.CancelledError:
            # Only a host that is watched can be forgotten again.
            await watching
            raise

    @property
    def pid(self) -> int:
        """The outermost process of the host; killing it ends all of it."""
        return self._process.pid

    @property
    def reported(self) -> Reported | None:
        """How far the step that runs says it is; only of a host whose output is kept."""
        return self._log.reported if self._log else None

    @property
    def alive(self) -> bool:
        """Whether the host can still be asked."""
        return self._connection.is_open and not self._process.ended.is_set()

    @property
    def ended(self) -> str | None:
        """How it ended, None while it is alive."""
        if self._connection.ended is None and self._process.ended.is_set():
            return f"The plugin's host {ending(self._process.exit_status)}"  # what it printed last is still being read
        return self._connection.ended

    @property
    def running_call(self) -> tuple[int, float] | None:
        """The call under way, as a number and its time limit in seconds; None while nobody waits."""
        return self._connection.running_call

    @property
    def calls_begun(self) -> int:
        """A number that grows with each call."""
        return self._connection.calls_begun

    def stop(self, reason: PluginError) -> None:
        """End the host for this reason, from any thread; calls that wait, and later ones, fail with it."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and its hosts with it
            self._loop.call_soon_threadsafe(self._end_for, reason)

    def stderr_tail(self) -> str:
        """Return the last of what the plugin printed, on either stream."""
        return self._process.tail()

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

    def memory_bytes(self) -> int:
        """Return what the host holds now, in memory and scratch."""
        usage = usage_of(innermost(self.pid)) if self.alive else None
        return 0 if usage is None else usage.memory_bytes

    async def health(self, *, timeout_s: float = 5.0) -> Health:
        """Return how the host is doing, also while a call is running."""
        result, _ = await self._ask("health", {}, b"", timeout_s)
        return health_from(result)

    async def close(self) -> None:
        """End the host; calls that wait fail with PluginCrashed."""
        if self._burial is not None:
            await asyncio.wait([self._burial])
        self._is_closed = self._is_closed or self._connection.ended is None
        self._connection.fail(PluginCrashed("The plugin's host was closed"))
        _watchdog.forget(self)
        await self._process.close()
        self._end_log()
        self._asks.close()
        if self._gate is not None:
            await self._gate.close()

    async def _ask(self, verb: str, fields: dict[str, Any], body: bytes, timeout_s: float) -> Answer:
        if self._gate is None:
            return await self._connection.ask(verb, fields, body, timeout_s)
        with self._gate.during(verb):
            return await self._connection.ask(verb, fields, body, timeout_s)

    async def _spawn(
        self,
        spec: HostSpec,
        mode: Literal["bubblewrap", "off"],
        theirs: socket.socket,
        asking: socket.socket,
        timeout_s: float,
    ) -> None:
        fds = Descriptors(theirs.fileno(), asking.fileno())
        if self._gate is None:
            await self._process.start(spec, mode, fds)
            return
        with contextlib.closing(Handover()) as handover:
            fds = dataclasses.replace(fds, egress=handover.child_fd)
            await self._process.start(spec, mode, fds)
            with contextlib.suppress(TimeoutError):  # a host that hangs is met by the question for its health
                async with asyncio.timeout(timeout_s):
                    self._gate.serve(await handover.receive())

    def _end_for(self, reason: PluginError) -> None:
        self._kill()
        self._connection.fail(reason)

    def _kill(self) -> None:
        _watchdog.forget(self)
        self._process.kill()

    def _note_broken(self, reason: PluginError) -> None:
        if isinstance(reason, PluginCrashed) and self._connection.is_open:
            # The socket closed by itself: let the exit status arrive, it says more.
            self._burial = asyncio.get_running_loop().create_task(self._bury())
        else:
            self._kill()

    def _note_exit(self) -> None:
        _watchdog.forget(self)
        if self._burial is None:
            self._burial = asyncio.get_running_loop().create_task(self._bury())

    async def _bury(self) -> None:
        try:
            await asyncio.wait_for(self._process.ended.wait(), _CLOSE_GRACE_S)
        except TimeoutError:
            self._kill()
            await self._process.ended.wait()
        await self._process.read_to_the_end()
        self._end_log()
        tail = self.stderr_tail()
        last = tail.rstrip().rpartition("\n")[2][:300]
        told = f"; it last printed: {last}" if last else ""
        message = f"The plugin's host {ending(self._process.exit_status)}{told}"
        self._connection.fail(PluginCrashed(message, exit_status=self._process.exit_status, stderr=tail[-4000:]))
        # Last: what is left of the host may outlive its outermost process, and would answer with what it read so far.
        if self._gate is not None:
            self._gate.end()

    def _end_log(self) -> None:
        if self._log is not None:
            self._log.end(None if self._is_closed else self.ended)


def _have_room(sender: socket.socket, size_bytes: int) -> None:
    """Let so much be written at once, instead of in turns with the reader; root may go beyond the machine's limit."""
    for option in (_SO_SNDBUFFORCE, socket.SO_SNDBUF) if sys.platform == "linux" else (socket.SO_SNDBUF,):
        with contextlib.suppress(OSError):
            sender.setsockopt(socket.SOL_SOCKET, option, size_bytes)
            return
