"""On a host's machine: starts its process, hands it its sockets, watches it, and ends it with whoever asked for it.

A keeper decides nothing: what a host may use is judged by whoever asks it, from what is told here four times a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import socket
import sys
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from mixpeek.errors import PlatformError, PluginError
from mixpeek.execution.egress.policy import EgressPolicy
from mixpeek.execution.egress.proxy import Proxy
from mixpeek.execution.host_process import Descriptors, HostProcess
from mixpeek.execution.idle_groups import IdleHost
from mixpeek.execution.local_host import TAIL_BYTES
from mixpeek.execution.port import HostSpec
from mixpeek.execution.remote.doors import Address, Arrived, Doors
from mixpeek.execution.remote.folders import FolderCache
from mixpeek.execution.remote.handshake import Role
from mixpeek.execution.remote.relay import Relay
from mixpeek.execution.remote.steering import TICK_S, flag, reader, said
from mixpeek.execution.spawning import mode_for, spawn
from mixpeek.execution.watchdog import innermost, stand_back, usage_of
from mixpeek.host.frames import FrameInvalid
from mixpeek.host.patience import kept_waiting_s

log = logging.getLogger(__name__)

# By when whoever asked has connected, once the keeper has said where.
CONNECT_S = 20.0
_INHERITED: tuple[Role, ...] = ("calls", "asking")


@dataclass(frozen=True)
class Order:
    """Which host to start; `folders` says by their hashes which of its folders were delivered, all others are here."""

    spec: HostSpec
    egress: EgressPolicy
    is_isolated: bool
    timeout_s: float
    folders: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Launched:
    """A host's outermost process, and whether it goes out through a proxy of the keeper's."""

    pid: int
    has_proxy: bool


class Keeper(asyncio.Protocol):
    """Keeps one host; use from one loop, whose thread lives as long as the host. Also the socket that steers it."""

    def __init__(self, token: bytes, host: str, cache: FolderCache) -> None:
        self._doors = Doors(token, host)
        self._cache = cache
        self._process = HostProcess(TAIL_BYTES, self._note_exit, self._note_flood, log=self)
        self._proxy: Proxy | None = None
        self._relays: list[Relay] = []
        self._control: asyncio.Transport | None = None
        self._reader = reader()
        self._spec: HostSpec | None = None
        self._watched = 0
        self._idle: IdleHost | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> Address:
        """Where it waits to be connected to."""
        return self._doors.address

    async def launch(self, order: Order) -> Launched:
        """Start the host and return once its process runs; whether it answers is found out over its socket.

        Raises: PlatformError: nobody connected, or a folder is missing. SandboxUnavailable. OSError.
        """
        try:
            sockets = await self._doors.all(within_s=CONNECT_S)
        except TimeoutError:
            raise PlatformError(
                f"Nobody connected to the host at {self.address.host}:{self.address.port} within {CONNECT_S:g} s",
                hint="Let the API's machines connect to every port of the cluster's machines",
            ) from None
        finally:
            self._doors.close()
        try:
            await self._begin(order, sockets)
        finally:
            for left in sockets.values():
                left.sock.close()
        self._do(self._tell_forever())
        return Launched(self._process.pid, self._proxy is not None)

    async def _begin(self, order: Order, sockets: dict[Role, Arrived]) -> None:
        """Start the process; sockets are taken out of `sockets` when somebody else sees to their end."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, sock=sockets.pop("control").sock)
        spec = self._spec = self._here(order)
        mode = await mode_for(spec) if order.is_isolated else "off"
        if spec.network and mode == "bubblewrap":
            self._proxy = Proxy(order.egress, spec.label or spec.name)
        with contextlib.ExitStack() as theirs:
            fds = [theirs.enter_context(await self._end_for_host(sockets.pop(role))).fileno() for role in _INHERITED]
            process = self._process
            await spawn(process, spec, mode, Descriptors(*fds), proxy=self._proxy, timeout_s=order.timeout_s)

    async def close(self) -> None:
        """End the host and everything that was begun for it."""
        for task in self._tasks:
            task.cancel()
        self._doors.close()
        await self._process.close()
        for relay in self._relays:
            relay.close()
        if self._proxy is not None:
            await self._proxy.close()
        if self._control is not None:
            self._control.close()

    # the socket that steers it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._control = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for fields, _ in self._reader.feed(data):
                self._obey(fields)
        except FrameInvalid:
            log.exception("a plugin's host is ended: what steers it cannot be read")
            self._process.kill()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End the host: nobody is left to judge it."""
        self._control = None
        self._process.kill()

    def _obey(self, fields: dict[str, object]) -> None:
        match fields.get("what"):
            case "kill":
                self._process.kill()
            case "watch" if self._spec is not None:
                # It has answered and runs no plugin code yet: its processes are all there, and will stay the same.
                self._watched = innermost(self._process.pid)
                self._idle = stand_back(self._watched, self._spec)
            case "gate" if self._proxy is not None:
                is_open = flag(fields, "is_open")
                if is_open:
                    self._proxy.open_gate()
                else:
                    self._proxy.close_gate()
                self._say(said("gate"))
            case other:
                raise FrameInvalid(f"{other!r} is no command")

    # what the process does

    def receive(self, data: bytes) -> None:
        """Pass on what the host printed."""
        self._say(said("printed", data))

    def _note_flood(self, reason: PluginError) -> None:
        self._process.kill()
        self._say(said("flooded", message=reason.message))

    def _note_exit(self) -> None:
        self._do(self._tell_end())

    async def _tell_end(self) -> None:
        await self._process.read_to_the_end()
        self._say(said("exited", status=self._process.exit_status))
        if self._proxy is not None:
            await self._proxy.close()

    async def _tell_forever(self) -> None:
        while not self._process.ended.is_set():
            usage = usage_of(self._watched) if self._watched else None
            if usage is None:
                self._say(said("alive"))
            else:
                kept_s = kept_waiting_s(self._watched)
                if self._idle is not None:
                    self._idle.look(usage.cpu_s, kept_s)
                self._say(said("usage", **dataclasses.asdict(usage), kept_waiting_s=kept_s))
            await asyncio.sleep(TICK_S)

    def _say(self, frame: bytes) -> None:
        if self._control is not None and not self._control.is_closing():
            self._control.write(frame)

    def _here(self, order: Order) -> HostSpec:
        """Return the spec with the folders and the interpreter of this machine."""
        places = {folder: self._cache.place(digest) for folder, digest in order.folders.items()}
        spec = order.spec
        return dataclasses.replace(
            spec,
            plugin_dir=places.get(spec.plugin_dir, spec.plugin_dir),
            extra_paths=tuple(places.get(path, path) for path in spec.extra_paths),
            models=tuple(dataclasses.replace(each, path=places.get(each.path, each.path)) for each in spec.models),
            python=Path(sys.executable),
        )

    async def _end_for_host(self, arrived: Arrived) -> socket.socket:
        """Return the end that the host inherits."""
        if arrived.is_near:
            arrived.sock.setblocking(True)
            return arrived.sock
        ours, theirs = socket.socketpair()
        relay = Relay()
        self._relays.append(relay)
        try:
            await relay.begin(arrived.sock, ours)
        except BaseException:
            theirs.close()
            raise
        return theirs

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
