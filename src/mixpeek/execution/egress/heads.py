"""Reads the head of a request to the proxy, and writes the ones it sends itself. Pure; h11 does the parsing.

Only what one request names is taken from it: the destination it may reach, and its fields without the proxy's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import h11

MAX_HEAD_BYTES = 32 * 1024

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\]")
_URL = re.compile(r"http://([^/?#]*)([^#]*)(#.*)?", re.IGNORECASE | re.DOTALL)
_HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te", b"trailer", b"upgrade", b"host"}
)


class HeadInvalid(ValueError):
    """The head of a request is not one that this proxy takes."""


@dataclass(frozen=True)
class Destination:
    """Where a request wants to go: a name or the digits of an address, lower case, without brackets; and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Request:
    """One request: a tunnel, or a head to send on (`None` for a tunnel); `rest` is what came behind the head."""

    destination: Destination
    head: bytes | None
    rest: bytes


class HeadReader:
    """Takes bytes until the head of one request is whole."""

    def __init__(self) -> None:
        self._parser = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)

    def feed(self, data: bytes) -> Request | None:
        """Return the request once its head is whole; raise HeadInvalid for one that cannot be taken."""
        try:
            self._parser.receive_data(data)
            event = self._parser.next_event()
        except h11.RemoteProtocolError as error:
            raise HeadInvalid(str(error)) from error
        if event is h11.NEED_DATA:
            return None
        if not isinstance(event, h11.Request):
            raise HeadInvalid("no request was sent")
        rest, _ = self._parser.trailing_data
        return _request_from(event, rest)


def _request_from(event: h11.Request, rest: bytes) -> Request:
    target = event.target.decode("ascii", "replace")
    names = [name for name, _ in event.headers]
    if b"content-length" in names and b"transfer-encoding" in names:
        raise HeadInvalid("a request says its length either by Content-Length or by Transfer-Encoding")
    if event.method == b"CONNECT":
        return Request(destination_from(target, default_port=None), None, rest)
    url = _URL.fullmatch(target)
    if url is None:
        raise HeadInvalid("this is a proxy: send CONNECT host:port, or a request with a whole http:// address")
    destination = destination_from(url[1], default_port=80)
    path = url[2] if url[2].startswith("/") else f"/{url[2]}"
    return Request(destination, _head_from(event, path, url[1]), rest)


def _head_from(event: h11.Request, path: str, authority: str) -> bytes:
    """Return the head for the server itself; each request has a connection of its own, so that none is reused."""
    lines = [b"%s %s HTTP/1.1" % (event.method, path.encode("ascii")), b"Host: " + authority.encode("ascii")]
    named = {
        word.strip().lower() for name, value in event.headers if name == b"connection" for word in value.split(b",")
    }
    dropped = _HOP_BY_HOP | (named - {b"content-length", b"transfer-encoding"})
    lines += [b"%s: %s" % (name, value) for name, value in event.headers.raw_items() if name.lower() not in dropped]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


def destination_from(authority: str, *, default_port: int | None) -> Destination:
    """Return the destination that `host:port` names; raise HeadInvalid for any other form."""
    if "@" in authority:
        raise HeadInvalid("an address with a user name in it is not taken")
    host, colon, digits = (authority, "", "") if authority.endswith("]") else authority.partition(":")
    if authority.startswith("[") and colon:
        host, _, digits = authority.rpartition(":")
    port = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 5 else 0
    if not colon and default_port is not None:
        port = default_port
    if not 0 < port < 65536:
        raise HeadInvalid("the address needs a port from 1 to 65535")
    bracketed = _BRACKETED.fullmatch(host)
    if bracketed is None and not is_name(host):
        raise HeadInvalid("the address is neither a name, an IPv4 address nor an IPv6 address in brackets")
    name = bracketed[1] if bracketed else host
    return Destination(name.lower().rstrip("."), port)


def is_name(text: str) -> bool:
    """Tell whether a text can be a host's name; digits of an IPv4 address in any spelling can."""
    return _NAME.fullmatch(text) is not None


def closing_response_head(head: bytes) -> bytes:
    """Return a server's response head with `Connection: close`, so that the client sends its next request anew."""
    status, *fields = head.split(b"\r\n")
    kept = [field for field in fields if field.partition(b":")[0].strip().lower() not in _ABOUT_CONNECTION]
    return b"\r\n".join([status, *kept, b"Connection: close"])


_ABOUT_CONNECTION = frozenset({b"connection", b"keep-alive", b"proxy-connection"})


def refusal(status: int, reason: str) -> bytes:
    """Return a whole response; the reason stands in the status line too, as that is what clients' exceptions quote."""
    text = "".join(letter if " " <= letter <= "~" else "?" for letter in reason)
    body = f"{text}\n".encode()
    fields = f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return f"HTTP/1.1 {status} {text[:300]}\r\n{fields}".encode() + body
