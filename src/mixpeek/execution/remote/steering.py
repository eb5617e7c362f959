"""What a keeper and whoever had it start a host tell each other, over the socket that steers it.

Frames as everywhere, with small headers; both ends are programs of ours, and are read strictly all the same.
"""

from __future__ import annotations

from typing import Any, Literal

from mixpeek.host.frames import FrameInvalid, FrameReader, encode

Event = Literal["alive", "printed", "usage", "flooded", "exited", "gate"]
Command = Literal["watch", "kill", "gate"]

TICK_S = 0.25
"""How often a keeper says how its host is doing, or at least that both are there."""

_MOST_HEADER_BYTES = 16 * 1024
_MOST_BODY_BYTES = 4 * 1024**2


def said(what: Event | Command, body: bytes = b"", **fields: Any) -> bytes:
    """Return a frame that says this."""
    return encode({"what": what, **fields}, body)


def reader() -> FrameReader:
    """Return what cuts the other end's bytes into frames."""
    reading = FrameReader(max_header_bytes=_MOST_HEADER_BYTES)
    reading.max_body_bytes = _MOST_BODY_BYTES
    return reading


def number(fields: dict[str, Any], name: str) -> float:
    """Return a number that was said; raise FrameInvalid."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FrameInvalid(f"{name} is not a number")
    return float(value)


def flag(fields: dict[str, Any], name: str) -> bool:
    """Return a yes or no that was said; raise FrameInvalid."""
    value = fields.get(name)
    if not isinstance(value, bool):
        raise FrameInvalid(f"{name} is neither true nor false")
    return value
