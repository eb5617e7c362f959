"""uvicorn's HTTP protocol, sending the head of a response together with its body.

On its own it writes them apart: two system calls, two packets, and a client that is woken twice.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_END = b"\r\n\r\n"
_LENGTH, _NOTHING = b"\r\ncontent-length: ", b"\r\ncontent-length: 0\r\n"


class JoinedTransport:
    """A transport that holds the head of a response back until its body is written; only where the head announces one.

    A streamed response announces no length, so its head leaves at once, however late its first piece comes.
    """

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Write, or hold back if this is a head with a body to come."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.endswith(_END) and data.startswith(b"HTTP/1.1 ") and _LENGTH in data and _NOTHING not in data:
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Write what is held back."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        """Write what is held back, then close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class JoinedProtocol(HttpToolsProtocol):
    """`HttpToolsProtocol` over such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport."""
        self._joined = JoinedTransport(transport)
        super().connection_made(cast("asyncio.Transport", self._joined))

    def on_response_complete(self) -> None:
        """Let a head leave whose body never came: the answer to HEAD announces one and has none."""
        self._joined.flush()
        super().on_response_complete()
