"""`python -m mixpeek.catalog.asking MIME_TYPE < file`: prints what a sound, video or PDF file says about itself.

Runs as a child process, which limits itself before it reads a byte; it may die, and its parent does not mind.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from contextlib import suppress
from typing import Any, BinaryIO

MEMORY_BYTES = 512 * 1024**2
CPU_S = 5
# Enough for the tables of long films and for most PDF files; a larger one tells nothing.
READ_BYTES = 64 * 1024**2


def main() -> None:
    """Limit this process, ask the file, print what it says as one JSON object."""
    mime_type = sys.argv[1]
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    if mime_type == "application/pdf":
        import pypdf  # noqa: F401  before files and memory are limited
    else:
        import tinytag  # noqa: F401
    _give_up_the_rest()
    file = sys.stdin.buffer
    print(json.dumps(_pages(file) if mime_type == "application/pdf" else _duration(file)))  # noqa: T201


def _give_up_the_rest() -> None:
    from mixpeek.host.tighten import Limits, tighten

    if sys.platform == "linux":
        tighten(Limits(memory_bytes=MEMORY_BYTES, file_bytes=0))
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _pages(file: BinaryIO) -> dict[str, Any]:
    import pypdf

    content = file.read(READ_BYTES + 1)
    if len(content) > READ_BYTES:
        return {}
    return {"page_count": pypdf.PdfReader(io.BytesIO(content)).get_num_pages()}


def _duration(file: BinaryIO) -> dict[str, Any]:
    import tinytag

    with suppress(tinytag.TinyTagException):
        tag = tinytag.TinyTag.get(None, tags=False, file_obj=file)
        found = {"duration_s": tag.duration, "sample_rate": tag.samplerate, "channels": tag.channels}
        return {name: round(value, 3) for name, value in found.items() if value}
    return {}


if __name__ == "__main__":
    main()
