"""The frames between a host and whoever started it: two lengths, a JSON header, a body.

Neither side trusts the other: lengths are capped before anything is kept, and the JSON is strict (no NaN, no infinity).
"""

from __future__ import annotations

import json
import math
import re
import struct
from typing import Any, NoReturn

LENGTHS = struct.Struct("<II")
# The headers of nearly all frames: an inference request, and its answer with the size of the call. Read at a glance.
_PLAIN_HEADER = re.compile(
    rb'\{"id":(0|[1-9][0-9]{0,17}),(?:"verb":"infer"(,"lone":true)?|"ok":true,"result":(0|[1-9][0-9]{0,17}))\}'
)
MAX_HEADER_BYTES = 64 * 1024**2
MAX_BODY_BYTES = 256 * 1024**2
# A reply is parsed on the loop that answers everybody, and parsing holds the interpreter: 8 MiB of the costliest JSON
# took 1.5 s, of these many values at most 0.2 s.
MAX_REPLY_BYTES = 8 * 1024**2
MAX_REPLY_CONTAINERS = 200_000
MAX_REPLY_VALUES = 1_000_000


class FrameInvalid(ValueError):
    """The other side sent something that is not a frame."""


class FrameTooLarge(FrameInvalid):
    """The other side sent more than one frame may hold."""


def _refuse_constant(name: str) -> NoReturn:
    raise FrameInvalid(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise FrameInvalid(f"{digits[:40]} is not a number that JSON can hold")
    return value


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
_careful_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
# Every digit as a 0 and every exponent's mark as an e, with nothing else to tell apart.
_SHAPE = bytes(ord("0") if chr(code) in "0123456789" else ord("e") if chr(code) in "eE" else 32 for code in range(256))


def _may_overflow(raw: bytes) -> bool:
    """Tell whether a number may be read as infinity, as `1e999` is; this costs far less than asking each float."""
    shape = raw.translate(_SHAPE, b"+")
    return b"e000" in shape or b"0" * 200 in shape


_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def encode_header(header: dict[str, Any]) -> bytes:
    """Return a header as UTF-8 JSON; raise ValueError for NaN, TypeError for what JSON cannot say."""
    return _encoder.encode(header).encode()


def encode(header: dict[str, Any], body: bytes = b"") -> bytes:
    """Return one whole frame; raise FrameInvalid if a part is over its cap."""
    return frame(encode_header(header), body)


def frame(head: bytes, body: bytes = b"") -> bytes:
    """Return one whole frame around an encoded header; raise FrameInvalid if a part is over its cap."""
    _check_lengths(len(head), len(body), MAX_HEADER_BYTES, MAX_BODY_BYTES)
    return LENGTHS.pack(len(head), len(body)) + head + body


def decode_strict(raw: bytes) -> Any:
    """Return what strict JSON says; raise ValueError for what is not (NaN too), RecursionError if nested too deeply."""
    return (_careful_decoder if _may_overflow(raw) else _decoder).decode(raw.decode())


def check_reply_header(head: bytes | bytearray) -> None:
    """Raise FrameTooLarge for a reply's header, or a result that comes in its body, that would take long to parse."""
    if len(head) <= MAX_REPLY_CONTAINERS:
        return  # too short for that many
    # Brackets and commas inside strings count too, which only makes the limit a little lower for them.
    containers, values = head.count(b"[") + head.count(b"{"), head.count(b",")
    if len(head) > MAX_REPLY_BYTES or containers > MAX_REPLY_CONTAINERS or values > MAX_REPLY_VALUES:
        size = f"{len(head):,} bytes, {containers:,} lists and objects, {values:,} values"
        most = f"{MAX_REPLY_BYTES:,}, {MAX_REPLY_CONTAINERS:,} and {MAX_REPLY_VALUES:,}"
        raise FrameTooLarge(f"a reply of {size} is over the limit ({most})")


def _check_lengths(header_bytes: int, body_bytes: int, most_header: int, most_body: int) -> None:
    if header_bytes > most_header or body_bytes > most_body:
        raise FrameTooLarge(f"a frame of {header_bytes:,} + {body_bytes:,} bytes is over the limit")


def _decode_header(raw: bytes) -> dict[str, Any]:
    plain = _PLAIN_HEADER.fullmatch(raw)
    if plain is not None:
        identifier, lone, result = plain.groups()
        if lone is not None:
            return {"id": int(identifier), "verb": "infer", "lone": True}
        if result is None:
            return {"id": int(identifier), "verb": "infer"}
        return {"id": int(identifier), "ok": True, "result": int(result)}
    try:
        header = decode_strict(raw)
    except (ValueError, RecursionError) as error:
        raise FrameInvalid(f"a frame header is not strict JSON: {error}") from error
    if not isinstance(header, dict):
        raise FrameInvalid("a frame header is not a JSON object")
    return header


class FrameReader:
    """Cuts a byte stream into frames; `is_reply` holds headers to what a reply may have.

    `max_body_bytes` may be changed at any time, to what the next frame may bring; `max_header_bytes` is lowered for
    frames that need no long ones.
    """

    def __init__(self, *, is_reply: bool = False, max_header_bytes: int | None = None) -> None:
        self._rest = bytearray()
        self._is_reply = is_reply
        self._max_header_bytes = max_header_bytes or (MAX_REPLY_BYTES if is_reply else MAX_HEADER_BYTES)
        self.max_body_bytes = MAX_BODY_BYTES

    def feed(self, data: bytes | memoryview) -> list[tuple[dict[str, Any], bytes]]:
        """Return the (header, body) pairs completed by these bytes, in order; raise FrameInvalid."""
        rest = self._rest
        # Frames mostly arrive whole: what is cut from bytes is copied once.
        source = rest if rest else bytes(data)
        if rest:
            rest += data
        frames: list[tuple[dict[str, Any], bytes]] = []
        position, available = 0, len(source)
        while available - position >= LENGTHS.size:
            header_bytes, body_bytes = LENGTHS.unpack_from(source, position)
            _check_lengths(header_bytes, body_bytes, self._max_header_bytes, self.max_body_bytes)
            body_at = position + LENGTHS.size + header_bytes
            end = body_at + body_bytes
            if available < end:
                break
            raw = bytes(source[position + LENGTHS.size : body_at])
            if self._is_reply:
                check_reply_header(raw)
            body = source[body_at:end] if type(source) is bytes else bytes(memoryview(source)[body_at:end])
            frames.append((_decode_header(raw), body))
            position = end
        if source is rest:
            del rest[:position]
        elif position < available:
            rest += memoryview(source)[position:]
        return frames
