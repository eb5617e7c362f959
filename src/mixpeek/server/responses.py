"""uvicorn's HTTP protocol, sending the head of a response together with its body, and bounding that of a request.

On its own it writes a response apart: two system calls, two packets, and a client that is woken twice. It also reads
heads of any size, for as long as a client likes.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from mixpeek.api.errors import respond
from mixpeek.api.middleware import HeadTooLarge, NotHttp
from mixpeek.logging import request_id

MOST_HEAD_BYTES = 64 * 1024
# How long a client may take to send one head.
HEAD_S = 20.0
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
    """`HttpToolsProtocol` over such a transport, for heads of bounded size that come within a bounded time."""

    _is_in_head = False
    _head_bytes = 0  # of the head under way, without the piece it began in
    _began_in_bytes = 0  # the size of that piece
    _head_began = 0.0
    _piece_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport; who never asks is not kept for ever."""
        self._joined = JoinedTransport(transport)
        super().connection_made(cast("asyncio.Transport", self._joined))
        self._close_in(self.timeout_keep_alive)

    def data_received(self, data: bytes) -> None:
        """Parse what has come; refuse a head that becomes too large, and wait for its rest only so long."""
        if self._is_in_head:
            self._head_bytes += len(data)
        self._piece_bytes = len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._is_in_head and self._head_bytes > MOST_HEAD_BYTES:
            self.send_400_response("")
        elif self.timeout_keep_alive_task is None and (self.cycle is None or self.cycle.response_complete):
            self._wait_for_request()

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._is_in_head = True
        self._head_bytes = 0
        self._began_in_bytes = self._piece_bytes
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Check the head's size."""
        self._end_head()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Let a head leave whose body never came: the answer to HEAD announces one and has none."""
        self._joined.flush()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, sent as plain text
        """Refuse what cannot be parsed, or is too large to be."""
        is_large = self._is_in_head and max(self._head_bytes, self._size_of_head()) > MOST_HEAD_BYTES
        identifier = f"req_{secrets.token_hex(8)}"
        token = request_id.set(identifier)
        response = respond(HeadTooLarge() if is_large else NotHttp())
        request_id.reset(token)
        headers = [*self.server_state.default_headers, *response.raw_headers, (b"x-request-id", identifier.encode())]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(
            b"%b%bconnection: close\r\n\r\n%b" % (STATUS_LINE[response.status_code], lines, bytes(response.body))
        )
        self.transport.close()

    def _end_head(self) -> None:
        """Note that the head is complete; raise ValueError, which has the parser give up, if it is too large."""
        # Counted one by one only if what has come may be too much.
        if self._is_in_head and self._began_in_bytes + self._head_bytes > MOST_HEAD_BYTES:
            size = self._size_of_head()
            if size > MOST_HEAD_BYTES:
                raise ValueError(f"a head of {size:,} bytes")
        self._is_in_head = False

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _wait_for_request(self) -> None:
        """Have the connection closed if the next request, or the rest of its head, does not come in time."""
        now = self.loop.time()
        if not self._is_in_head:
            self._close_in(self.timeout_keep_alive)
            return
        if not self._head_bytes:
            self._head_began = now
        self._close_in(self._head_began + HEAD_S - now)

    def _close_in(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(max(0.0, seconds), self.timeout_keep_alive_handler)
