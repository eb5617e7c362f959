"""One process of a host, from its start to its last words; what is asked of it is `local_host`'s."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal, cast

from mixpeek.errors import PluginCrashed, PluginError, PluginFlooded
from mixpeek.execution import sandbox
from mixpeek.execution.asks.veil import Veil
from mixpeek.execution.port import HostSpec
from mixpeek.execution.printed import Hears, Printed
from mixpeek.lifeline import Lifeline

# What a host that has ended printed last is read within this; a process of its own may hold the pipe for longer.
_DRAIN_S = 0.25
# What a host may print at once, and what it earns back a second: reading it costs the loop that answers everybody.
_PRINT_BYTES = 32 * 1024**2
_PRINT_BYTES_PER_S = 1024**2


@dataclass(frozen=True)
class Descriptors:
    """What a host inherits: its ends of the sockets for calls, for what it asks, and to hand its way out over."""

    calls: int
    asking: int | None = None
    egress: int | None = None


class HostProcess(asyncio.SubprocessProtocol):
    """Starts a host, keeps the end of what it prints, and tells when it prints far too much and when it exits.

    Args: keep_bytes: how much of what it prints is kept. on_flood: called once, with why it should be ended.
    """

    def __init__(
        self,
        keep_bytes: int,
        on_exit: Callable[[], None] | None,
        on_flood: Callable[[PluginError], None],
        log: Hears | None = None,
        veil: Veil | None = None,
    ) -> None:
        self._printed = Printed(keep_bytes, log, veil)
        self._on_exit = on_exit
        self._on_flood = on_flood
        self._allowance = float(_PRINT_BYTES)
        self._read_at = time.monotonic()
        self._is_flooded = False
        self._transport: asyncio.SubprocessTransport | None = None
        self._lifeline: Lifeline | None = None
        self.ended = asyncio.Event()
        self.drained = asyncio.Event()

    async def start(self, spec: HostSpec, mode: Literal["bubblewrap", "off"], fds: Descriptors) -> None:
        """Start it; in a sandbox it has ended before this program has, however that ends."""
        lifeline = self._lifeline = Lifeline() if mode == "bubblewrap" else None
        line = sandbox.command(
            spec, mode=mode, fd=fds.calls, egress_fd=fds.egress, asking_fd=fds.asking, lifeline=lifeline
        )
        passed = [fd for fd in dataclasses.astuple(fds) if fd is not None]
        # The environment of bwrap itself stays readable in /proc inside the sandbox, so it is empty too.
        variables = sandbox.environment(spec, fd=fds.calls) if lifeline is None else {"PATH": os.defpath}
        starting = asyncio.get_running_loop().subprocess_exec(
            lambda: self,
            *line,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=[*passed, *(lifeline.descriptors if lifeline else ())],
            env=variables,
            start_new_session=True,
        )
        try:
            # Given up in the middle of it, asyncio would kill the outermost process alone, then wait for the others.
            await _to_its_end(starting)
            if lifeline is not None:
                lifeline.tie(self.pid, sandbox.grants(spec))
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The outermost process, 0 before there is one."""
        return 0 if self._transport is None else self._transport.get_pid() or 0

    @property
    def exit_status(self) -> int | None:
        """How it ended, None while it runs."""
        return None if self._transport is None else self._transport.get_returncode()

    def kill(self) -> None:
        """Kill all of it that is left."""
        # It is our own child and not reaped yet, so its number cannot have been given to another.
        if self._transport is not None and self._transport.get_returncode() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        if self._lifeline is not None:
            self._lifeline.close()

    async def close(self) -> None:
        """Kill it, and return once what it printed last has been read."""
        self.kill()
        if self._transport is not None:
            await self.ended.wait()
            await self.read_to_the_end()
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002
        now = time.monotonic()
        earned = (now - self._read_at) * _PRINT_BYTES_PER_S
        self._allowance, self._read_at = min(_PRINT_BYTES, self._allowance + earned) - len(data), now
        if self._allowance < 0 and not self._is_flooded:
            self._is_flooded = True
            self._on_flood(PluginFlooded(f"The plugin printed more than {_PRINT_BYTES // 1024**2} MiB at once"))
        self._printed.receive(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
        self.drained.set()

    def process_exited(self) -> None:
        self.kill()  # the outermost process may have been killed alone
        self.ended.set()
        if self._on_exit is not None:
            self._on_exit()

    async def read_to_the_end(self) -> None:
        """Return once everything that was printed has been read; the process must have ended."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.drained.wait(), _DRAIN_S)

    def tail(self) -> str:
        """Return the last of what it printed."""
        return self._printed.tail()


def ending(code: int | None) -> str:
    """Return in words how a process with this exit status ended."""
    if code is None:
        return "stopped answering"
    number = -code if code < 0 else code - 128
    try:
        return f"was killed by {signal.Signals(number).name}"
    except ValueError:
        return f"ended with status {code}"


def crash_from(exit_status: int | None, tail: str) -> PluginCrashed:
    """Return the error of calls whose host ended so, having printed `tail` last."""
    last = tail.rstrip().rpartition("\n")[2][:300]
    told = f"; it last printed: {last}" if last else ""
    return PluginCrashed(f"The plugin's host {ending(exit_status)}{told}", exit_status=exit_status, stderr=tail[-4000:])


async def _to_its_end(work: Coroutine[Any, Any, object]) -> None:
    """Carry out what takes a moment and must not be left half done; a cancellation counts once it has ended."""
    task, cancelled = asyncio.ensure_future(work), None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()  # seen: whoever gave it up does not want to know
        raise cancelled
    task.result()
