"""Carries bytes between two sockets, both ways, no faster than the slower one takes them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast


class _End(asyncio.Protocol):
    def __init__(self, on_closed: Callable[[], None]) -> None:
        self._on_closed = on_closed
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._on_closed()


class Relay:
    """Two connected sockets that were made one; when either end closes, so does the other."""

    def __init__(self) -> None:
        self._ends = (_End(self.close), _End(self.close))

    async def begin(self, one: socket.socket, other: socket.socket) -> None:
        """Begin to carry; both sockets are the relay's from now on."""
        loop = asyncio.get_running_loop()
        try:
            for end, sock in zip(self._ends, (one, other), strict=True):
                sock.setblocking(False)
                await loop.create_connection(lambda end=end: end, sock=sock)  # type: ignore[misc]
                if end.transport is not None:
                    end.transport.pause_reading()
        except BaseException:
            self.close()
            for end, sock in zip(self._ends, (one, other), strict=True):
                if end.transport is None:
                    sock.close()
            raise
        first, second = self._ends
        first.other, second.other = second, first
        for end in self._ends:
            if end.transport is not None:
                end.transport.resume_reading()

    def close(self) -> None:
        """End both, once what was read has been passed on."""
        for end in self._ends:
            if end.transport is not None:
                end.transport.close()
