"""Unpacks a gzip file piece by piece: one member, its checksum right, and nothing behind it."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from mixpeek.inspection.members import CHUNK_BYTES, damaged, unreadable

_GZIP = 16 + zlib.MAX_WBITS


class GzipStream:
    """The content of a gzip file; reading raises Unreadable."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._inflater = zlib.decompressobj(_GZIP)

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, and none at the end."""
        while not self._inflater.eof:
            packed = self._inflater.unconsumed_tail or self._source.read(CHUNK_BYTES)
            try:
                data = self._inflater.decompress(packed, size)
            except zlib.error as cause:
                raise damaged(str(cause)) from cause
            if data:
                return data
            if not packed and not self._inflater.eof:
                raise damaged("the compressed file ends early")
        # Some tools would go on with what follows, others stop: nobody shall see another plugin than we do.
        if self._inflater.unused_data or self._source.read(1):
            raise unreadable("archive.trailing_data", "More data follows the end of the compressed file")
        return b""
