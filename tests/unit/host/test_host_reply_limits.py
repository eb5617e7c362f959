"""How much a reply may hold: checked by the host, which can name it, and again by who reads what a host sends."""

from __future__ import annotations

import struct

import pytest

from mixpeek.host.frames import (
    MAX_REPLY_BYTES,
    MAX_REPLY_CONTAINERS,
    MAX_REPLY_VALUES,
    FrameReader,
    FrameTooLarge,
    check_reply_header,
    encode,
)


@pytest.mark.parametrize(
    "head",
    [
        b'"' + b"x" * MAX_REPLY_BYTES + b'"',
        b"[" + b"[]," * MAX_REPLY_CONTAINERS + b"0]",
        b"[" + b"0," * MAX_REPLY_VALUES + b"0,0]",
    ],
)
def test_what_would_take_too_long_to_parse_is_refused_before_it_is_parsed(head: bytes) -> None:
    with pytest.raises(FrameTooLarge, match="over the limit"):
        check_reply_header(head)


def test_a_thousand_long_vectors_are_no_large_reply() -> None:
    check_reply_header(b"[" + b",".join([b"[" + b"0.123456," * 383 + b"0.5]"] * 1000) + b"]")


@pytest.mark.parametrize(("header_bytes", "body_bytes"), [(MAX_REPLY_BYTES + 1, 0), (2, 1)])
def test_a_frame_is_refused_by_its_lengths_alone(header_bytes: int, body_bytes: int) -> None:
    reader = FrameReader(is_reply=True)
    reader.max_body_bytes = 0

    with pytest.raises(FrameTooLarge):
        reader.feed(struct.pack("<II", header_bytes, body_bytes))


def test_a_body_is_read_once_one_is_due() -> None:
    reader = FrameReader(is_reply=True)
    reader.max_body_bytes = 3

    assert reader.feed(encode({"id": 1}, b"abc")) == [({"id": 1}, b"abc")]
