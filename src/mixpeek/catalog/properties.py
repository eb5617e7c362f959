"""What a file says about itself: dimensions, duration, pages. Told where it can be read safely; else nothing is told.

Pictures are asked here, by reading the head of their first megabyte; nothing is decoded. Sound, video and PDF files are
asked in a child process that has given up new processes, sockets, and all but a little time and memory
(`catalog.asking`): their parsers walk structures that a hostile file can make as long as it likes.
"""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from typing import Any, BinaryIO

from mixpeek.catalog.errors import ContentInvalid

log = logging.getLogger(__name__)

# A picture of this many pixels takes a gigabyte to decode; no file size limit keeps smaller files from claiming more.
MAX_PIXELS = 256_000_000
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/tiff"})
_PICTURE_BYTES = 1024 * 1024
_ASK_TIMEOUT_S = 8.0
_ANSWER_BYTES = 4096


def properties_of(file: BinaryIO, mime_type: str) -> dict[str, Any]:
    """Return what is known of a file, open at any place; {} for one that is broken or of a kind that is not read.

    Raises: ContentInvalid: a picture that claims more than `MAX_PIXELS`.
    """
    if mime_type in _PICTURES:
        return _picture(file)
    if mime_type == "application/pdf" or mime_type.partition("/")[0] in ("audio", "video"):
        return _asked(file, mime_type)
    return {}


def _picture(file: BinaryIO) -> dict[str, Any]:
    import imagesize

    file.seek(0)
    try:
        width, height = map(int, imagesize.get(io.BytesIO(file.read(_PICTURE_BYTES))))
    except Exception as error:  # a parser of foreign bytes: whatever it raises, the file is what is wrong
        log.debug("a picture could not be read: %r", error)
        return {}
    if width <= 0 or height <= 0:
        return {}
    if width * height > MAX_PIXELS:
        raise ContentInvalid(
            f"The picture claims {width} × {height} pixels", hint=f"Send one of at most {MAX_PIXELS} pixels"
        )
    return {"width": width, "height": height}


def _asked(file: BinaryIO, mime_type: str) -> dict[str, Any]:
    file.seek(0)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "mixpeek.catalog.asking", mime_type],
            stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=_ASK_TIMEOUT_S, check=True, env={},
        )  # fmt: skip
        answer = json.loads(done.stdout[:_ANSWER_BYTES])
    except (subprocess.SubprocessError, ValueError) as error:
        log.debug("a file of type %s could not be read: %r", mime_type, error)
        return {}
    known = {"duration_s": float, "sample_rate": int, "channels": int, "page_count": int}
    return {name: kind(answer[name]) for name, kind in known.items() if isinstance(answer.get(name), int | float)}
