"""Takes over the listener that a host made on the loopback of its own network namespace; see `host.egress`."""

from __future__ import annotations

import asyncio
import socket


class Handover:
    """A pair of sockets over which one listener comes; close it when the host has started, or has not."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)

    @property
    def child_fd(self) -> int:
        """The descriptor that the host inherits."""
        return self._theirs.fileno()

    async def receive(self) -> socket.socket | None:
        """Return the listener; None from a host that ended before it sent one."""
        self._theirs.close()
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_reader(self._ours, arrived.set)
        try:
            await arrived.wait()
        finally:
            loop.remove_reader(self._ours)
        try:
            _, descriptors, _, _ = socket.recv_fds(self._ours, 16, 1, flags=socket.MSG_CMSG_CLOEXEC)
        except ConnectionError:
            return None
        return _listener_from(descriptors[0]) if descriptors else None

    def close(self) -> None:
        """Close both ends."""
        self._ours.close()
        self._theirs.close()


def _listener_from(descriptor: int) -> socket.socket | None:
    try:
        listener = socket.socket(fileno=descriptor)
    except OSError:  # no socket: then there is nothing to accept on
        return None
    listener.setblocking(False)
    if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return listener
    listener.close()
    return None
