"""Carries bytes both ways between a plugin's connection and a server's until both have ended, or a cap is met."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

from mixpeek.execution.egress.heads import closing_response_head

_READ_BYTES = 256 * 1024


@dataclass(frozen=True)
class Caps:
    """What one host's connections may take.

    `connections` at once; `head_s` until a request's head is whole; `idle_s` without a byte, `linger_s` once one
    direction has ended; `bytes_each` both ways together.
    """

    connections: int = 64
    head_s: float = 10.0
    idle_s: float = 600.0
    linger_s: float = 15.0
    bytes_each: int = 8 * 1024**3


@dataclass
class Traffic:
    """Connections made, and bytes sent and received by a plugin."""

    connections: int = 0
    sent: int = 0
    received: int = 0


@dataclass(frozen=True)
class Stream:
    """One end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def of(cls, connection: socket.socket) -> Stream:
        """Wrap a connected socket, which then belongs to the stream."""
        return cls(*await asyncio.open_connection(sock=connection, limit=_READ_BYTES))

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield what arrives until the other side ends."""
        while data := await self.reader.read(_READ_BYTES):
            yield data

    async def send(self, data: bytes) -> None:
        """Write, and wait while too much is unsent."""
        self.writer.write(data)
        await self.writer.drain()

    async def finish(self, within_s: float) -> None:
        """Close once everything is sent."""
        self.writer.close()
        async with asyncio.timeout(within_s):
            await self.writer.wait_closed()

    def abort(self) -> None:
        """Close at once."""
        self.writer.transport.abort()


async def join(plugin: Stream, server: Stream, traffic: Traffic, caps: Caps, *, plain: bool) -> None:
    """Carry bytes until both directions have ended; raise OSError, TimeoutError too, when one hangs up or a cap is met.

    `plain` is a request that was sent on: its response is told to be the connection's last.
    """
    loop = asyncio.get_running_loop()
    patience_s, left = caps.idle_s, caps.bytes_each

    async def carry(source: AsyncIterator[bytes], target: Stream, counter: str) -> None:
        nonlocal patience_s, left
        async for data in source:
            left -= len(data)
            if left < 0:
                raise ConnectionAbortedError(f"more than {caps.bytes_each:,} bytes on one connection")
            setattr(traffic, counter, getattr(traffic, counter) + len(data))
            clock.reschedule(loop.time() + patience_s)
            await target.send(data)
        patience_s = min(patience_s, caps.linger_s)
        clock.reschedule(loop.time() + patience_s)
        target.writer.write_eof()

    answers = _last_response(server) if plain else server.chunks()
    async with asyncio.timeout(caps.idle_s) as clock:
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(carry(plugin.chunks(), server, "sent"))
                both.create_task(carry(answers, plugin, "received"))
        except* OSError as failed:
            raise failed.exceptions[0] from None


async def _last_response(server: Stream) -> AsyncIterator[bytes]:
    """Yield a response, its head saying that the connection closes; what is no HTTP passes as it is."""
    try:
        head = await server.reader.readuntil(b"\r\n\r\n")
        while head.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")):
            yield head
            head = await server.reader.readuntil(b"\r\n\r\n")
        yield closing_response_head(head.removesuffix(b"\r\n\r\n")) + b"\r\n\r\n"
    except asyncio.IncompleteReadError as ended:
        yield ended.partial
    except asyncio.LimitOverrunError as error:
        raise ConnectionAbortedError(f"the head of a response has more than {_READ_BYTES:,} bytes") from error
    async for data in server.chunks():
        yield data
