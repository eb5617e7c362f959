"""What a blob's `data` is taken for, what MIME type content has, and what files say about themselves."""

from __future__ import annotations

import base64
import io
import tempfile
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import files
from mixpeek.catalog.contents import Address, Bytes, Kept, Value, content_from
from mixpeek.catalog.errors import ContentInvalid
from mixpeek.catalog.properties import MAX_PIXELS, properties_of
from mixpeek.catalog.sniffing import HEAD_BYTES, UNKNOWN, fits_kind, mime_type_of

OWN = f"s3://mixpeek/namespaces/ns_1/assets/{'ab' * 32}/a.png"
ENCODED = base64.b64encode(b"\x89PNG").decode()


@pytest.mark.parametrize(
    ("kind", "data", "content"),
    [
        ("text", "hello", Value("hello")),
        ("text", "https://example.com/a", Value("https://example.com/a")),
        ("text", "data: we saw three of them, then none", Value("data: we saw three of them, then none")),
        ("text", "data:text/plain;charset=utf-8,a%20b", Bytes(b"a b", None, "text/plain")),
        ("string", "data:text/plain,hello", Value("data:text/plain,hello")),
        ("integer", 5, Value(5)),
        ("json", {"base64": "no file"}, Value({"base64": "no file"})),
        ("image", "https://example.com/a.png", Address("https://example.com/a.png")),
        ("image", "file:///etc/passwd", Address("file:///etc/passwd")),
        ("image", f"data:image/png;base64,{ENCODED}", Bytes(b"\x89PNG", None, "image/png")),
        ("image", {"base64": ENCODED, "filename": "a.png"}, Bytes(b"\x89PNG", "a.png", None)),
        ("image", OWN, Kept(OWN.removeprefix("s3://mixpeek/"))),
    ],
)
def test_data_is_taken_for_what_its_type_and_form_say(kind: str, data: Any, content: Any) -> None:
    assert content_from(kind, data, "ns_1") == content


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("image", "hello", "needs content"),
        ("image", 5, "needs content"),
        ("image", {"filename": "a.png"}, "needs content"),
        ("image", {"base64": "%%%"}, "not base64"),
        ("image", {"base64": "abc"}, "not base64"),
        ("image", {"base64": ENCODED, "name": "a.png"}, "unknown key 'name'"),
        ("image", {"base64": 5}, "not text"),
        ("image", OWN.replace("ns_1", "ns_2"), "no asset of this namespace"),
        ("image", OWN + "/../../x", "no asset of this namespace"),
    ],
)
def test_a_file_without_readable_content_is_refused(kind: str, data: Any, words: str) -> None:
    with pytest.raises(ContentInvalid, match=words):
        content_from(kind, data, "ns_1")


@pytest.mark.parametrize(
    ("content", "declared", "filename", "mime_type"),
    [
        (files.png(), None, None, "image/png"),
        (files.png(), "video/mp4", "a.txt", "image/png"),
        (files.wav(), None, None, "audio/wav"),
        (files.mp4(), None, None, "video/mp4"),
        (files.mp4(), "audio/mp4", None, "audio/mp4"),
        (files.pdf(), None, None, "application/pdf"),
        (files.office("xl"), None, None, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (b"a,b\n1,2\n", None, "a.csv", "text/csv"),
        (b'{"a": 1}', "application/json; charset=utf-8", None, "application/json"),
        ("Grüße".encode(), None, None, "text/plain"),
        (("é" * HEAD_BYTES).encode()[1 : HEAD_BYTES + 1], None, None, UNKNOWN),
        (b"x" + ("é" * HEAD_BYTES).encode()[: HEAD_BYTES - 1], None, None, "text/plain"),
        (b"", None, None, "text/plain"),
        (bytes(range(256)), None, None, UNKNOWN),
        (bytes(range(256)), "image/png", "a.png", UNKNOWN),
        (bytes(range(256)), "audio/x-strange", None, "audio/x-strange"),
        (bytes(range(256)), "not a type", None, UNKNOWN),
    ],
)
def test_content_is_what_its_signature_says_then_what_is_said_of_it(
    content: bytes, declared: str | None, filename: str | None, mime_type: str
) -> None:
    assert mime_type_of(content[:HEAD_BYTES], declared=declared, filename=filename) == mime_type


@pytest.mark.parametrize(
    ("kind", "mime_type", "fits"),
    [
        ("image", "image/png", True),
        ("image", "application/pdf", False),
        ("pdf", "application/pdf", True),
        ("pdf", "image/png", False),
        ("audio", "video/mp4", True),
        ("excel", "text/csv", True),
        ("excel", "image/png", False),
        ("video", UNKNOWN, True),
    ],
)
def test_a_blob_holds_content_of_its_type_or_of_none_that_is_known(kind: str, mime_type: str, fits: bool) -> None:
    assert fits_kind(kind, mime_type) is fits


@pytest.mark.parametrize(
    ("content", "mime_type", "properties"),
    [
        (files.png(640, 480), "image/png", {"width": 640, "height": 480}),
        (files.wav(1.5), "audio/wav", {"duration_s": 1.5, "sample_rate": 8000, "channels": 1}),
        (files.mp4(), "video/mp4", {"duration_s": 2.5}),
        (files.pdf(3), "application/pdf", {"page_count": 3}),
        (b"\x89PNG\r\n\x1a\n", "image/png", {}),
        (b"%PDF-1.4 and then nothing", "application/pdf", {}),
        (files.wav()[:20], "audio/wav", {}),
        (b"hello", "text/plain", {}),
    ],
)
def test_a_file_says_what_it_can_and_a_broken_one_says_nothing(
    content: bytes, mime_type: str, properties: dict[str, Any]
) -> None:
    with tempfile.TemporaryFile() as file:  # a child process is handed its descriptor
        file.write(content)

        assert properties_of(file, mime_type) == properties


def test_a_picture_that_claims_more_than_can_be_decoded_is_refused() -> None:
    with pytest.raises(ContentInvalid, match="pixels"):
        properties_of(io.BytesIO(files.png(MAX_PIXELS, 2)), "image/png")


@given(
    st.binary(max_size=200),
    st.sampled_from([files.png(), b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"II*\0"]),
)
def test_no_picture_however_broken_is_an_error(tail: bytes, head: bytes) -> None:
    for mime_type in ("image/png", "image/jpeg", "image/gif", "image/webp", "image/tiff"):
        with suppress(ContentInvalid):  # it may claim too many pixels
            assert properties_of(io.BytesIO(head[:12] + tail), mime_type).keys() <= {"width", "height"}
