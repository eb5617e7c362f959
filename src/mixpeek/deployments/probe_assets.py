"""Small real files to ask a plugin with that came without an example: an image, a sound, a document. Pure.

Made here byte by byte, so that nothing has to be shipped. There is no video: no library here can encode one.
"""

from __future__ import annotations

import io
import math
import struct
import wave
import zlib
from base64 import b64encode
from dataclasses import dataclass
from functools import cache

SENTENCE = "The quick brown fox jumps over the lazy dog."

_IMAGE_PIXELS = 64
_SOUND_RATE_HZ = 16_000
_SOUND_S = 0.5
_SOUND_TONE_HZ = 440.0


@dataclass(frozen=True)
class Asset:
    """A file as a `data:` address, which `shared.plugins.open_asset` reads."""

    mime_type: str
    address: str


@cache
def asset_for(input_type: str) -> Asset | None:
    """Return an asset of one of a manifest's `supported_input_types`, None where there is none."""
    kind = input_type.strip().lower()
    if kind == "image":
        return _asset("image/png", png())
    if kind == "audio":
        return _asset("audio/wav", wav())
    if kind in {"document", "pdf"}:
        return _asset("application/pdf", pdf())
    return None


def png() -> bytes:
    """Return a PNG of 64 by 64 pixels in which red, green and blue change from edge to edge."""
    size = _IMAGE_PIXELS
    lines = (
        b"\0" + bytes(value for x in range(size) for value in (4 * x, 4 * y, 255 - 2 * (x + y))) for y in range(size)
    )
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)  # 8 bits a channel, RGB, nothing interlaced
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def wav() -> bytes:
    """Return half a second of a tone, 16 kHz, mono, 16 bits a sample."""
    count = int(_SOUND_RATE_HZ * _SOUND_S)
    turn = 2 * math.pi * _SOUND_TONE_HZ / _SOUND_RATE_HZ
    samples = struct.pack(f"<{count}h", *(round(12_000 * math.sin(turn * index)) for index in range(count)))
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_SOUND_RATE_HZ)
        file.writeframes(samples)
    return buffer.getvalue()


def pdf() -> bytes:
    """Return a PDF of one page with one sentence."""
    text = f"BT /F1 18 Tf 40 120 Td ({SENTENCE}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 480 200] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    content, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(content))
        content += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    tail = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(content))
    return content + head + table + tail


def _asset(mime_type: str, content: bytes) -> Asset:
    return Asset(mime_type, f"data:{mime_type};base64,{b64encode(content).decode()}")
