"""The frames between a host and whoever started it: two lengths, a JSON header, a body.

Neither side trusts the other: lengths are capped before anything is kept, and the JSON is strict (no NaN).
"""

from __future__ import annotations

import json
import struct
from typing import Any, NoReturn

LENGTHS = struct.Struct("<II")
MAX_HEADER_BYTES = 64 * 1024**2
MAX_BODY_BYTES = 256 * 1024**2


class FrameInvalid(ValueError):
    """The other side sent something that is not a frame."""


def _refuse_constant(name: str) -> NoReturn:
    raise FrameInvalid(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def encode_header(header: dict[str, Any]) -> bytes:
    """Return a header as UTF-8 JSON; raise ValueError for NaN, TypeError for what JSON cannot say."""
    return _encoder.encode(header).encode()


def encode(header: dict[str, Any], body: bytes = b"") -> bytes:
    """Return one whole frame; raise FrameInvalid if a part is over its cap."""
    return frame(encode_header(header), body)


def frame(head: bytes, body: bytes = b"") -> bytes:
    """Return one whole frame around an encoded header; raise FrameInvalid if a part is over its cap."""
    _check_lengths(len(head), len(body))
    return LENGTHS.pack(len(head), len(body)) + head + body


def decode_strict(raw: bytes) -> Any:
    """Return what strict JSON says; raise ValueError for what is not (NaN too), RecursionError if nested too deeply."""
    return _decoder.decode(raw.decode())


def _check_lengths(header_bytes: int, body_bytes: int) -> None:
    if header_bytes > MAX_HEADER_BYTES or body_bytes > MAX_BODY_BYTES:
        raise FrameInvalid(f"a frame of {header_bytes} + {body_bytes} bytes is over the limit")


def _decode_header(raw: bytes) -> dict[str, Any]:
    try:
        header = decode_strict(raw)
    except (ValueError, RecursionError) as error:
        raise FrameInvalid(f"a frame header is not strict JSON: {error}") from error
    if not isinstance(header, dict):
        raise FrameInvalid("a frame header is not a JSON object")
    return header


class FrameReader:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> list[tuple[dict[str, Any], bytes]]:
        """Return the (header, body) pairs completed by these bytes, in order; raise FrameInvalid."""
        buffer = self._buffer
        buffer += data
        frames: list[tuple[dict[str, Any], bytes]] = []
        position, available = 0, len(buffer)
        while available - position >= LENGTHS.size:
            header_bytes, body_bytes = LENGTHS.unpack_from(buffer, position)
            _check_lengths(header_bytes, body_bytes)
            body_at = position + LENGTHS.size + header_bytes
            end = body_at + body_bytes
            if available < end:
                break
            header = _decode_header(bytes(buffer[position + LENGTHS.size : body_at]))
            frames.append((header, bytes(memoryview(buffer)[body_at:end]) if body_bytes else b""))
            position = end
        del buffer[:position]
        return frames
