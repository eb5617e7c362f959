"""A host on another machine: asked over its own socket, judged by what its keeper tells, lost with its machine."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mixpeek.contract.asking import READ_BYTES
from mixpeek.errors import HostLost, MixpeekError, PluginCrashed, PluginError
from mixpeek.execution.asks.channel import AskChannel
from mixpeek.execution.asks.veil import Veil
from mixpeek.execution.connection import Answer, Connection
from mixpeek.execution.egress.gate import Gate
from mixpeek.execution.host_calls import HostCalls
from mixpeek.execution.host_log import HostLog
from mixpeek.execution.host_process import crash_from
from mixpeek.execution.local_host import TAIL_BYTES, have_room
from mixpeek.execution.port import HostSpec, Told
from mixpeek.execution.printed import Printed
from mixpeek.execution.remote.handshake import Role
from mixpeek.execution.remote.process import RemoteProcess
from mixpeek.execution.watchdog import Judge, Usage

# How long the end of a process may take to be told after its socket has closed.
_END_S = 1.0
_numbers = itertools.count(1)


class RemoteHost(HostCalls):
    """A host whose process is another machine's; see `Host` in `execution.port`.

    Args: release: lets go of the place that it has in the cluster; called once.
    """

    def __init__(
        self, log: HostLog | None, asks: AskChannel, veil: Veil, release: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(Connection(self._note_broken, veil), veil, log)
        self._asks = asks
        self._release: Callable[[], Awaitable[None]] | None = release
        self._process = RemoteProcess(self, Printed(TAIL_BYTES, log, veil))
        self._gate: _RemoteGate | None = None
        self._judge: Judge | None = None
        self._seen_at = 0.0
        self._usage: Usage | None = None
        self._pid = 0
        self._number = next(_numbers)
        self._label = ""
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._burial: asyncio.Task[None] | None = None
        self._place = ""

    async def connect(self, sockets: Mapping[Role, Any], place: str) -> None:
        """Take over the sockets that lead to the keeper and, through it, to the host; `place` says where that is."""
        self._place = place
        have_room(sockets["asking"], READ_BYTES)
        for role, protocol in (("control", self._process), ("asking", self._asks), ("calls", self._connection)):
            await self._loop.create_connection(lambda made=protocol: made, sock=sockets[role])  # type: ignore[misc, index]

    async def begin(self, spec: HostSpec, pid: int, *, has_proxy: bool, timeout_s: float) -> None:
        """Wait until the host that the keeper has started answers; `pid` is 0 where it is not on this machine."""
        self._pid = pid
        self._gate = _RemoteGate(self._process) if has_proxy else None
        if spec.background:
            self._connection.allow_for(lambda: self._process.kept_waiting_s)
        await self.health(timeout_s=timeout_s)
        self._judge, self._seen_at = Judge(spec.memory_bytes), time.monotonic()
        self._process.watch()

    @property
    def pid(self) -> int:
        """The outermost process of the host; 0 where that is on another machine."""
        return self._pid

    @property
    def told(self) -> Told | None:
        """What its keeper told last, where that is on another machine."""
        if self._pid or self._usage is None:
            return None
        return Told(self._number, self._usage.memory_bytes, self._usage.cpu_s)

    @property
    def alive(self) -> bool:
        """Whether the host can still be asked."""
        return self._connection.is_open and not self._process.ended.is_set()

    @property
    def ended(self) -> str | None:
        """How it ended, None while it is alive."""
        if self._connection.ended is None and self._process.ended.is_set():
            return self._end().named
        return self._connection.ended

    def stderr_tail(self) -> str:
        """Return the last of what the plugin printed, on either stream."""
        return self._process.tail()

    def memory_bytes(self) -> int:
        """Return what the host held when its keeper last told, in memory and scratch."""
        return self._usage.memory_bytes if self._usage is not None and self.alive else 0

    async def close(self) -> None:
        """End the host; calls that wait fail with PluginCrashed."""
        release, self._release = self._release, None
        if self._burial is not None:
            await asyncio.wait([self._burial])
        self._is_closed = self._is_closed or self._connection.ended is None
        self._connection.fail(PluginCrashed("The plugin's host was closed"))
        if not self._process.ended.is_set():
            self._process.kill()
            with contextlib.suppress(TimeoutError):  # whoever keeps it is about to be ended too
                await asyncio.wait_for(self._process.ended.wait(), _END_S)
        self._end_log()
        self._asks.close()
        self._process.close()
        if release is not None:
            await release()

    # told by its process

    def note_usage(self, usage: Usage) -> None:
        """Judge what the host uses."""
        now = time.monotonic()
        elapsed_s, self._seen_at, self._usage = now - self._seen_at, now, usage
        if self._judge is not None:
            reason = self._judge.verdict(usage, self.running_call, elapsed_s, begun=self.calls_begun)
            if reason is not None:
                self._judge = None
                self.end_for(reason)

    def note_end(self) -> None:
        """Have every call fail with how the host ended."""
        self._connection.fail(self._end())
        self._end_log()

    def end_for(self, reason: PluginError) -> None:
        """End the host for this reason; calls that wait, and later ones, fail with it."""
        self._process.kill()
        self._connection.fail(reason)

    async def _ask(self, verb: str, fields: dict[str, Any], body: bytes, timeout_s: float) -> Answer:
        if self._gate is None:
            return await super()._ask(verb, fields, body, timeout_s)
        with self._gate.during(verb):
            await self._gate.settled()
            return await super()._ask(verb, fields, body, timeout_s)

    def _end(self) -> MixpeekError:
        if self._process.lost is not None:
            return HostLost(f"The machine of the plugin's host, {self._place}, was lost: {self._process.lost}")
        return crash_from(self._process.exit_status, self.stderr_tail())

    def _note_broken(self, reason: PluginError) -> None:
        if isinstance(reason, PluginCrashed) and self._connection.is_open:
            # The socket closed by itself: let the keeper tell why, or be lost as well.
            self._burial = self._loop.create_task(self._bury())
        else:
            self._process.kill()

    async def _bury(self) -> None:
        try:
            await asyncio.wait_for(self._process.ended.wait(), _END_S)
        except TimeoutError:
            self._process.kill()
            await self._process.ended.wait()  # told, or lost by its silence

    def _end_log(self) -> None:
        if self._log is not None:
            self._log.end(None if self._is_closed else self.ended)


class _RemoteGate(Gate):
    """A gate whose proxy is moved by the keeper: what it was told to do is waited for before the host is asked."""

    def __init__(self, process: RemoteProcess) -> None:
        self._barrier = _Barrier(process)
        super().__init__(self._barrier)

    async def settled(self) -> None:
        """Return once the proxy is as it should be."""
        if self._barrier.moved is not None:
            await asyncio.shield(self._barrier.moved)


class _Barrier:
    def __init__(self, process: RemoteProcess) -> None:
        self._process = process
        self._is_open = False
        self.moved: asyncio.Future[None] | None = None

    def open_gate(self) -> None:
        self._move(is_open=True)

    def close_gate(self) -> None:
        self._move(is_open=False)

    async def close(self) -> None:
        """Leave it to the keeper, which ends its proxy with the host."""

    def _move(self, *, is_open: bool) -> None:
        if is_open != self._is_open:
            self._is_open = is_open
            self.moved = self._process.set_gate(is_open=is_open)
