"""Where a keeper is reached: a socket file for who is on its machine, a port for everybody else.

A socket from the file is handed to the host as it is. One from the port never is: a host could disconnect it and
connect it to another address of the machine's network, so the keeper carries its bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import socket
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixpeek.execution.remote.handshake import ROLES, NotOurs, Role, admit, introduce

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Address:
    """Where the doors of one keeper are."""

    path: str
    host: str
    port: int


@dataclass(frozen=True)
class Arrived:
    """A socket by which somebody with the token came in; `is_near` if through the file."""

    sock: socket.socket
    is_near: bool


class Doors:
    """Lets in one socket for each role; use from one loop."""

    def __init__(self, token: bytes, host: str) -> None:
        self._token = token
        self._folder = Path(tempfile.mkdtemp(prefix="mixpeek-host-"))
        self._near = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._near.bind(str(self._folder / "door"))
        self._far = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        self._far.bind((host, 0))
        self._arrived: dict[Role, Arrived] = {}
        self._all = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_the_door: set[socket.socket] = set()
        for listener in (self._near, self._far):
            listener.setblocking(False)
            listener.listen(16)
            self._do(self._accept(listener, is_near=listener is self._near))
        self.address = Address(str(self._folder / "door"), host, self._far.getsockname()[1])

    async def all(self, *, within_s: float) -> dict[Role, Arrived]:
        """Return the sockets of all roles once they have come; raise TimeoutError."""
        async with asyncio.timeout(within_s):
            await self._all.wait()
        arrived, self._arrived = self._arrived, {}
        return arrived

    def close(self) -> None:
        """Let nobody in any more; sockets that were not taken are closed."""
        for task in self._tasks:
            task.cancel()
        for sock in (self._near, self._far, *self._at_the_door, *(each.sock for each in self._arrived.values())):
            sock.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _accept(self, listener: socket.socket, *, is_near: bool) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(listener)
            # Until it is let in: a task that is cancelled before it begins closes nothing.
            self._at_the_door.add(sock)
            self._do(self._admit(sock, is_near=is_near))

    async def _admit(self, sock: socket.socket, *, is_near: bool) -> None:
        try:
            role = await admit(sock, self._token)
        except (OSError, TimeoutError) as error:
            log.warning("a connection to a plugin's host was refused: %s", error)
            sock.close()
            return
        finally:
            self._at_the_door.discard(sock)
        if role in self._arrived:
            sock.close()
            return
        self._arrived[role] = Arrived(sock, is_near)
        if len(self._arrived) == len(ROLES):
            self._all.set()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def enter(address: Address, token: bytes) -> tuple[dict[Role, socket.socket], bool]:
    """Return a socket for each role, and whether the keeper is on this machine; raise OSError, TimeoutError.

    The file is tried first: on another machine, in another container, or as another user, there is none.
    """
    try:
        return await _enter(address, token, is_near=True), True
    except NotOurs:
        raise
    except OSError:
        return await _enter(address, token, is_near=False), False


async def _enter(address: Address, token: bytes, *, is_near: bool) -> dict[Role, socket.socket]:
    with contextlib.ExitStack() as undo:
        entered: dict[Role, socket.socket] = {}
        for role in ROLES:
            family = socket.AF_UNIX if is_near else socket.AF_INET6 if ":" in address.host else socket.AF_INET
            sock = undo.enter_context(contextlib.closing(socket.socket(family, socket.SOCK_STREAM)))
            sock.setblocking(False)
            if not is_near:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(10):
                place = address.path if is_near else (address.host, address.port)
                await asyncio.get_running_loop().sock_connect(sock, place)
            await introduce(sock, role, token)
            entered[role] = sock
        undo.pop_all()
    return entered
