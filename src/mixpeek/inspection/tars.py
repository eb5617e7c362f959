"""Reads tar streams entry by entry in bounded memory.

`tarfile` reads whole pax records and sparse maps before a caller can object, so headers are walked here;
only the decoding of one 512-byte block is left to it.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Protocol

from mixpeek.inspection.findings import error
from mixpeek.inspection.members import CHUNK_BYTES, Member, MemberKind, Unreadable, damaged

_BLOCK = 512
_MAX_METADATA_BYTES = 1024 * 1024

_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_LINKS = (tarfile.LNKTYPE, tarfile.SYMTYPE)
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)


class Readable(Protocol):
    """Anything that returns at most ``size`` bytes, and none at its end."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes."""
        ...


def tar_members(stream: Readable) -> Iterator[Member]:
    """Yield the members of a tar stream in their order.

    Raises: Unreadable: the stream is damaged or uses a form that plugins never need.
    """
    tape = _Tape(stream)
    name: str | None = None
    size: int | None = None
    while (header := tape.header()) is not None:
        if header.type in _PAX:
            name, size = _pax_overrides(tape.metadata(header.size), name, size)
        elif header.type == tarfile.XGLTYPE:
            if b" path=" in tape.metadata(header.size):
                raise _unsupported("renames every entry with a global `path` record")
        elif header.type == tarfile.GNUTYPE_LONGNAME:
            name = _text(tape.metadata(header.size).split(b"\0", 1)[0])
        elif header.type == tarfile.GNUTYPE_LONGLINK:
            tape.metadata(header.size)  # the target of a link that is refused when its entry comes
        else:
            kind = _kind(header)
            # Only files carry content; for other kinds the size field says something else or nothing.
            content = tape.content((size if size is not None else header.size) if kind is MemberKind.FILE else 0)
            yield Member(name if name is not None else header.name, kind, content)
            for _ in content:
                pass  # what the caller did not want is skipped
            name = size = None
    tape.drain()


def _kind(header: tarfile.TarInfo) -> MemberKind:
    if header.type in _FILES:
        return MemberKind.FILE
    if header.type == tarfile.DIRTYPE:
        return MemberKind.FOLDER
    if header.type in _LINKS:
        return MemberKind.LINK
    if header.type == tarfile.GNUTYPE_SPARSE:
        raise _unsupported("holds a sparse file")
    return MemberKind.SPECIAL


def _pax_overrides(record: bytes, name: str | None, size: int | None) -> tuple[str | None, int | None]:
    while record and record[0]:
        digits, _, rest = record.partition(b" ")
        if not digits.isdigit() or len(digits) > 8 or not len(digits) + 1 < int(digits) <= len(record):
            raise damaged("an extended header cannot be read")
        keyword, _, value = rest[: int(digits) - len(digits) - 2].partition(b"=")
        record = record[int(digits) :]
        if keyword.startswith(b"GNU.sparse."):
            raise _unsupported("holds a sparse file")
        if keyword == b"path":
            name = _text(value)
        elif keyword == b"size":
            if not value.isdigit() or len(value) > 15:
                raise damaged("an extended header gives no valid size")
            size = int(value)
    return name, size


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _unsupported(what: str) -> Unreadable:
    return Unreadable(
        error(
            "archive.unsupported", f"The archive {what}, which is not supported", hint="Pack the plugin again plainly"
        )
    )


class _Tape:
    """A forward-only reader in whole blocks."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def header(self) -> tarfile.TarInfo | None:
        """Return the next header, or None at the end of the archive."""
        block = self._exactly(_BLOCK)
        if not block.strip(b"\0"):
            return None
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as cause:
            raise damaged("a tar header cannot be read") from cause
        if header.size < 0:
            raise damaged("a tar header gives a negative size")
        return header

    def metadata(self, size: int) -> bytes:
        if size > _MAX_METADATA_BYTES:
            raise _unsupported(f"has a header of {size} bytes")
        return b"".join(self.content(size))

    def content(self, size: int) -> Iterator[bytes]:
        left = size
        while left:
            chunk = self._stream.read(min(left, CHUNK_BYTES))
            if not chunk:
                raise damaged("it ends in the middle of an entry")
            left -= len(chunk)
            yield chunk
        if size % _BLOCK:
            self._exactly(_BLOCK - size % _BLOCK)

    def drain(self) -> None:
        """Read what follows the end mark, so that the checksum of the compressed stream is verified."""
        while self._stream.read(CHUNK_BYTES):
            pass

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._stream.read(size - len(data))
            if not more:
                raise damaged("it ends before its end mark")
            data += more
        return data
