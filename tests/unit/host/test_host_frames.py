"""Frames: what one side writes, the other reads, however the bytes arrive."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.host.frames import MAX_BODY_BYTES, MAX_HEADER_BYTES, FrameInvalid, FrameReader, encode

JSON = st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=8), max_size=4)


@given(st.lists(st.tuples(JSON, st.binary(max_size=40)), max_size=6), st.integers(1, 64))
def test_frames_survive_any_cutting_of_the_stream(sent: list[tuple[dict[str, Any], bytes]], size: int) -> None:
    stream = b"".join(encode(header, body) for header, body in sent)
    reader = FrameReader()

    received = [frame for at in range(0, len(stream), size) for frame in reader.feed(stream[at : at + size])]

    assert received == sent


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack("<II", MAX_HEADER_BYTES + 1, 0),
        struct.pack("<II", 0, MAX_BODY_BYTES + 1),
        *(
            struct.pack("<II", len(head), 0) + head
            for head in (b"[]", b"{", b'{"a":NaN}', b'{"a":[1e999]}', b"\xff\xff", b"", b"[" * 99999)
        ),
    ],
)
def test_what_is_not_a_frame_is_refused(raw: bytes) -> None:
    with pytest.raises(FrameInvalid):
        FrameReader().feed(raw)


def test_nan_and_oversized_bodies_are_not_sent() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        encode({"x": float("nan")})
    with pytest.raises(FrameInvalid, match="over the limit"):
        encode({}, bytes(MAX_BODY_BYTES + 1))
