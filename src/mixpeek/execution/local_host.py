"""A host that is a child process of this one: what is asked of it, and what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from typing import Any

from mixpeek.contract.asking import READ_BYTES
from mixpeek.errors import PluginCrashed, PluginError
from mixpeek.execution.asks.channel import AskChannel
from mixpeek.execution.asks.veil import Veil
from mixpeek.execution.connection import Answer, Connection
from mixpeek.execution.egress.gate import Gate
from mixpeek.execution.egress.policy import EgressPolicy
from mixpeek.execution.egress.proxy import Proxy
from mixpeek.execution.host_calls import HostCalls
from mixpeek.execution.host_log import HostLog
from mixpeek.execution.host_process import Descriptors, HostProcess, crash_from, ending
from mixpeek.execution.port import HostSpec
from mixpeek.execution.spawning import Mode, spawn
from mixpeek.execution.watchdog import Watchdog, innermost, usage_of
from mixpeek.host.patience import kept_waiting_s

_SO_SNDBUFFORCE = 32  # as Linux numbers it
TAIL_BYTES = 256 * 1024
_CLOSE_GRACE_S = 1.0

_watchdog = Watchdog()


class LocalHost(HostCalls):
    """A host that is a child process of this one; see `Host` in `execution.port`."""

    def __init__(self, log: HostLog | None, asks: AskChannel, veil: Veil) -> None:
        super().__init__(Connection(self._note_broken, veil), veil, log)
        self._asks = asks
        self._process = HostProcess(TAIL_BYTES, self._note_exit, self._end_for, log, veil)
        self._burial: asyncio.Task[None] | None = None
        self._is_closed = False
        self._gate: Gate | None = None
        self._loop = asyncio.get_running_loop()

    async def start(self, spec: HostSpec, mode: Mode, timeout_s: float, egress: EgressPolicy) -> None:
        """Spawn the process and wait until it answers; one with a network reaches it through a proxy of its own."""
        proxy = Proxy(egress, spec.label or spec.name) if spec.network and mode == "bubblewrap" else None
        self._gate = None if proxy is None else Gate(proxy)
        ours, theirs = socket.socketpair()
        asking, answering = socket.socketpair()
        try:
            fds = Descriptors(theirs.fileno(), asking.fileno())
            await spawn(self._process, spec, mode, fds, proxy=proxy, timeout_s=timeout_s)
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
        have_room(answering, READ_BYTES)
        try:
            await self._loop.create_connection(lambda: self._asks, sock=answering)
            await self._loop.create_connection(lambda: self._connection, sock=ours)
            if spec.background:
                self._connection.allow_for(lambda: kept_waiting_s(innermost(self.pid)))
            await self.health(timeout_s=timeout_s)
            # It has answered and runs no plugin code yet: its processes are all there, and will stay the same.
            self._connection.wait_apart_from(await asyncio.to_thread(innermost, self.pid))
            await self._have_watched(spec)
        except BaseException:  # also if whoever asked has given up, when one or both ends have no transport yet
            try:
                await self.close()
            finally:
                ours.close()
                answering.close()
            raise

    async def _have_watched(self, spec: HostSpec) -> None:
        watch = asyncio.to_thread(_watchdog.watch, self, self.pid, spec)
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
    def told(self) -> None:
        """Nothing: its machine is this one."""
        return None

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

    def stop(self, reason: PluginError) -> None:
        """End the host for this reason, from any thread; calls that wait, and later ones, fail with it."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and its hosts with it
            self._loop.call_soon_threadsafe(self._end_for, reason)

    def stderr_tail(self) -> str:
        """Return the last of what the plugin printed, on either stream."""
        return self._process.tail()

    def memory_bytes(self) -> int:
        """Return what the host holds now, in memory and scratch."""
        usage = usage_of(innermost(self.pid)) if self.alive else None
        return 0 if usage is None else usage.memory_bytes

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
            return await super()._ask(verb, fields, body, timeout_s)
        with self._gate.during(verb):
            return await super()._ask(verb, fields, body, timeout_s)

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
        self._connection.fail(crash_from(self._process.exit_status, self.stderr_tail()))
        # Last: what is left of the host may outlive its outermost process, and would answer with what it read so far.
        if self._gate is not None:
            self._gate.end()

    def _end_log(self) -> None:
        if self._log is not None:
            self._log.end(None if self._is_closed else self.ended)


def have_room(sender: socket.socket, size_bytes: int) -> None:
    """Let so much be written at once, instead of in turns with the reader; root may go beyond the machine's limit."""
    for option in (_SO_SNDBUFFORCE, socket.SO_SNDBUF) if sys.platform == "linux" else (socket.SO_SNDBUF,):
        with contextlib.suppress(OSError):
            sender.setsockopt(socket.SOL_SOCKET, option, size_bytes)
            return
