"""Inference requests answered from within the HTTP protocol: no task, no future and no turn of the loop of their own.

uvicorn makes a task for each request, and its answer passes a future and two messages: more time than all else that
carries a short call. So a plain request, complete in memory, whose key, namespace and plugin are remembered, is handed
to its replica as its last byte is read, and answered as the replica's reply is. Every other request takes uvicorn's
way to `api.inference`, which is the reference: this one decides by the same functions, and answers the same bytes.

The head is read by uvicorn's parser. A connection that sends the same head again, as clients do, is not parsed again:
its bytes are compared, all but the digits of the length.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, cast

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from mixpeek.api.inference import Inference
from mixpeek.api.inference_call import Call, Head, Headers, lines_of
from mixpeek.execution.prompt import Lingerer, write_now
from mixpeek.server.responses import JoinedProtocol
from mixpeek.serving.replica import Answer

_PATH = re.compile(rb"/v1/inference|/v1/namespaces/([A-Za-z0-9_-]+)/inference")
_LENGTH_LINE = re.compile(rb"\r\ncontent-length: (\d{1,5})\r\n", re.IGNORECASE)
_MOST_REMEMBERED_BYTES = 4096
# A head with one of these lines may ask for more than an answer.
_SPECIAL = frozenset({b"connection", b"expect", b"te", b"trailer", b"transfer-encoding", b"upgrade"})


class KnownHead:
    """A head as it was sent, cut at the digits of its length, and what it says."""

    __slots__ = ("after", "before", "head")

    def __init__(self, before: bytes, after: bytes, head: Head) -> None:
        self.before = before
        self.after = after
        self.head = head

    def body_in(self, data: bytes) -> bytes | None:
        """Return the body if `data` is exactly one request with this head, else None."""
        if not data.startswith(self.before):
            return None
        at = len(self.before)
        end = data.find(b"\r", at, at + 6)
        digits = data[at:end]
        if end < 0 or not digits.isdigit() or not data.startswith(self.after, end):
            return None
        at = end + len(self.after)
        return data[at:] if len(data) - at == int(digits) else None


def known_head(data: bytes, head: Head) -> KnownHead | None:
    """Return the head that `data` begins with, to be known again; None for one that is long or oddly written."""
    end = data.find(b"\r\n\r\n", 0, _MOST_REMEMBERED_BYTES) + 4
    lengths = _LENGTH_LINE.findall(data, 0, end)
    if end < 4 or len(lengths) != 1 or int(lengths[0]) != head.content_length or not data.startswith(b"POST "):
        return None
    found = _LENGTH_LINE.search(data, 0, end)
    assert found is not None
    return KnownHead(data[: found.start(1)], data[found.end(1) : end], head)


class _Nobody:
    """Stands where uvicorn wakes the task of a request."""

    def set(self) -> None:
        """Do nothing: there is no task."""


class Exchange(Call):
    """One request answered directly: the protocol's request under way, and who waits for the replica's answer."""

    __slots__ = ("body", "disconnected", "is_sent", "keep_alive", "more_body", "protocol", "response_complete")

    message_event = _Nobody()

    def __init__(self, head: Head, protocol: DirectProtocol, body: bytes = b"") -> None:
        super().__init__(head)
        self.protocol = protocol
        self.body = body
        self.more_body = True
        self.is_sent = False
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False

    def done(self) -> bool:
        """Whether it was answered."""
        return self.response_complete

    def set_result(self, result: Answer, /) -> None:
        """Answer with what the plugin said."""
        self.protocol.tell(self, result)

    def set_exception(self, exception: Exception, /) -> None:
        """Answer with the error."""
        self.protocol.refuse(self, exception)


class DirectProtocol(JoinedProtocol):
    """`JoinedProtocol` that answers plain inference requests itself, for the one `front` of its class."""

    front: Inference
    lingerer: Lingerer
    _every_answer: tuple[Headers, bytes] = ([], b"")
    _asked_last: DirectProtocol | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._known: KnownHead | None = None
        # A body over the first is read in pieces, one over the second refused: both by uvicorn's way.
        self._most_bytes = min(HIGH_WATER_LIMIT, self.front.max_body_bytes)
        self._arrived = b""
        self._is_within = False
        self._is_handed_on = False
        self._answered_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport itself too."""
        self._wire = transport
        self._fd = transport.get_extra_info("socket").fileno()
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget that this connection was the last to ask."""
        if type(self)._asked_last is self:
            type(self)._asked_last = None
        super().connection_lost(exc)
        # It knows this protocol, as this protocol knows it: a circle for each connection, freed late.
        self.cycle = cast("Any", None)
        self._known = None

    def data_received(self, data: bytes) -> None:
        """Answer a request with the head of the one before; give everything else to the parser."""
        known = self._known
        if known is not None and not self._is_within and self._is_free():
            body = known.body_in(data)
            if body is not None and len(body) <= self._most_bytes:
                if self._send(Exchange(known.head, self, body)):
                    return
                # The parser has to see it from its start.
                self._is_handed_on = True
        self._arrived = b"" if self._is_within else data
        super().data_received(data)
        self._arrived = b""

    def on_message_begin(self) -> None:
        """Note that the parser is within a request."""
        self._is_within = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Put a plain request aside until its body is there; with every other go uvicorn's way."""
        self._end_head()
        head = None if self._is_handed_on else self._plain_head()
        self._is_handed_on = False
        if head is None:
            self._known = None
            self._arrived = b""
            super().on_headers_complete()
        else:
            self.cycle = cast("Any", Exchange(head, self))

    def on_message_complete(self) -> None:
        """Send a request that was put aside to its replica."""
        self._is_within = False
        super().on_message_complete()
        exchange: Any = self.cycle
        if type(exchange) is not Exchange or exchange.more_body or exchange.is_sent:
            return
        if self._send(exchange):
            self._known = known_head(self._arrived, exchange.head)
            self._arrived = b""  # what else came with it is another request
        else:
            self._hand_on(exchange)

    def on_response_complete(self) -> None:
        """Note when, so that the connection is kept for as long after."""
        self._answered_at = self.loop.time()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection once nothing was asked for long enough; answers given directly only note their time."""
        self.timeout_keep_alive_task = None
        if self.cycle is not None and not self.cycle.response_complete:
            return  # its answer begins the time anew
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def tell(self, exchange: Exchange, answer: Answer) -> None:
        """Answer with a plugin's result."""
        lines, own, body = exchange.answered(answer)
        self._answer(exchange, 200, lines, own, body)

    def refuse(self, exchange: Exchange, error: Exception) -> None:
        """Answer with an error."""
        response = self.front.refusal(error, exchange)
        self._answer(exchange, response.status_code, b"", response.raw_headers, bytes(response.body))

    def _is_free(self) -> bool:
        """Whether a request may be answered now, and leave in one piece."""
        cycle = self.cycle
        return (
            (cycle is None or cycle.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
            and not self._wire.is_closing()
        )

    def _plain_head(self) -> Head | None:
        """Return what the head just parsed says if it asks for an answer, and nothing besides; else None."""
        parser = self.parser
        path = _PATH.fullmatch(self.url)
        if path is None or self.limit_concurrency is not None or self.root_path or not self._is_free():
            return None
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1" or not parser.should_keep_alive():
            return None
        for name, value in self.headers:
            if name in _SPECIAL and not (name == b"connection" and value.lower() == b"keep-alive"):
                return None
        named = path[1]
        head = Head(self.headers, b"", None if named is None else named.decode())
        return head if 0 < head.content_length <= self._most_bytes else None

    def _send(self, exchange: Exchange) -> bool:
        """Send a request to its replica; return False, having done nothing, if that takes more than is remembered."""
        before, self.cycle = self.cycle, cast("Any", exchange)
        try:
            exchange.is_sent = self.front.begin(exchange, bytes(exchange.body), exchange)
        except Exception as error:  # the edge of a request
            exchange.is_sent = True
            self.refuse(exchange, error)
        if not exchange.is_sent:
            self.cycle = before
            return False
        exchange.body = b""  # the replica has it; a connection that is kept would keep it too
        if type(self)._asked_last is not self:
            type(self)._asked_last = self
        elif exchange.target is not None and not exchange.response_complete:
            # Nobody else has asked since: there is nothing to do before this answer.
            exchange.target.linger()
            if exchange.response_complete:
                # Behind whatever else has arrived meanwhile.
                self.loop.call_soon(self._look_out)
        return True

    def _look_out(self) -> None:
        """Wait on the spot, for a moment at most, for a lone caller's next request."""
        if self._is_free() and not self._is_within and not self.flow.read_paused:
            self.lingerer.read(self._fd, self._hear)

    def _hear(self, data: memoryview) -> bool:
        self.data_received(bytes(data))
        return True

    def _hand_on(self, exchange: Exchange) -> None:
        """Have a request that is complete answered uvicorn's way."""
        self.cycle = cast("Any", None)
        self._known = None
        super().on_headers_complete()
        cycle = self.cycle
        cycle.keep_alive = cycle.keep_alive and exchange.keep_alive
        cycle.body = bytearray(exchange.body)
        cycle.more_body = False
        cycle.message_event.set()

    def _answer(self, exchange: Exchange, status: int, lines: bytes, headers: Headers, body: bytes) -> None:
        exchange.response_complete = True
        if not exchange.disconnected and not self._wire.is_closing():
            parts = [STATUS_LINE[status], self._default_lines(), lines]
            for name, value in headers:
                parts += (name, b": ", value, b"\r\n")
            if exchange.keep_alive:
                parts += (b"\r\n", body)
                write_now(self._wire, self._fd, b"".join(parts))
                self._rest()
            else:
                parts += (b"connection: close\r\n\r\n", body)
                self._wire.write(b"".join(parts))
                self._wire.close()
                self.server_state.total_requests += 1
        self.front.note(exchange, status)

    def _rest(self) -> None:
        """Go on with what was sent meanwhile, or wait for the next request."""
        if self.pipeline:
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        self._answered_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _default_lines(self) -> bytes:
        """Return the lines that every answer has, the date among them; uvicorn makes them anew each second."""
        cls = type(self)
        headers, lines = cls._every_answer
        if headers is not self.server_state.default_headers:
            headers = self.server_state.default_headers
            lines = lines_of(headers)
            cls._every_answer = headers, lines
        return lines


def direct_protocol(front: Inference) -> type[DirectProtocol]:
    """Return the protocol that answers what `front` would."""
    return type("DirectInferenceProtocol", (DirectProtocol,), {"front": front, "lingerer": Lingerer(yields=True)})
