"""Reads tar streams entry by entry in bounded memory.

`tarfile` reads whole pax records and sparse maps before a caller can object, and takes headers that other tools read
differently; so both are done here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from mixpeek.inspection.members import CHUNK_BYTES, Member, MemberKind, Unreadable, damaged, text_from, unreadable
from mixpeek.inspection.tar_headers import BLOCK_BYTES, Header, pax_records, pax_size, read_header

_MAX_METADATA_BYTES = 1024 * 1024
_OLD_FILE = b"\0"
_FILES, _FOLDER, _LINKS = (b"0", _OLD_FILE, b"7"), b"5", (b"1", b"2")
_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK, _GNU_SPARSE = (b"x", b"X"), b"g", b"L", b"K", b"S"
_SPARSE_WORDS = (b"GNU.sparse.", b"SCHILY.realsize")
_MEANINGFUL = (b"path", b"size", b"linkpath")
_ZEROS = bytes(BLOCK_BYTES)


class Readable(Protocol):
    """Anything that returns at most ``size`` bytes, and none at its end."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes."""
        ...


def tar_members(stream: Readable, most_headers: int) -> Iterator[Member]:
    """Yield the members of a tar stream in their order; extended headers count among its headers.

    Raises: Unreadable: the stream is damaged, ambiguous, or uses a form that plugins never need.
    """
    tape = _Tape(stream, most_headers)
    said = _Said()
    while (header := tape.header()) is not None:
        if header.kind in _PAX:
            said.take_pax(tape.metadata(header.size_bytes))
        elif header.kind == _PAX_GLOBAL:
            _check_global(tape.metadata(header.size_bytes))
        elif header.kind == _GNU_NAME:
            said.take_name(tape.metadata(header.size_bytes).split(b"\0", 1)[0])
        elif header.kind == _GNU_LINK:
            tape.metadata(header.size_bytes)  # the target of a link that is refused when its entry comes
        else:
            yield from _member(tape, header, said)
            said = _Said()
    if said.is_pending:
        raise _ambiguous("An extended header is followed by no entry")
    tape.check_rest()


def _member(tape: _Tape, header: Header, said: _Said) -> Iterator[Member]:
    raw_name = header.raw_name if said.raw_name is None else said.raw_name
    kind = _kind(header, raw_name)
    if said.size_bytes not in (None, header.size_bytes):
        raise unreadable(
            "archive.header_mismatch",
            f"Entry `{text_from(raw_name)[:200]}` has {header.size_bytes} bytes by its header and {said.size_bytes} by"
            " the extended header before it",
        )
    content = tape.content(header.size_bytes)
    yield Member(text_from(raw_name), kind, content, header.mode & 0o7777)
    if header.size_bytes and header.kind in (_FOLDER, *_LINKS, b"3", b"4", b"6"):
        # Some tools skip content after these, others take it for the next header.
        raise _ambiguous(f"Entry `{text_from(raw_name)[:200]}` has a size and is no file")
    for _ in content:
        pass  # what the caller did not want is skipped


def _kind(header: Header, raw_name: bytes) -> MemberKind:
    flag = header.kind
    if flag in _FILES and raw_name.endswith(b"/"):
        # Before there was a flag for folders, this is how one was written.
        if flag == _OLD_FILE and raw_name == header.raw_name:
            return MemberKind.FOLDER
        raise _ambiguous(f"Entry `{text_from(raw_name)[:200]}` is a file by its header and a folder by its name")
    if flag in _FILES:
        return MemberKind.FILE
    if flag == _FOLDER:
        return MemberKind.FOLDER
    if flag == _GNU_SPARSE:
        raise _sparse()
    return MemberKind.LINK if flag in _LINKS else MemberKind.SPECIAL


@dataclass
class _Said:
    """What extended headers have said about the entry that comes next."""

    raw_name: bytes | None = None
    size_bytes: int | None = None
    is_pending: bool = False
    has_pax: bool = False

    def take_pax(self, content: bytes) -> None:
        if self.has_pax:
            raise _ambiguous("An entry has two extended headers")
        self.has_pax = self.is_pending = True
        seen: set[bytes] = set()
        for keyword, value in pax_records(content):
            if keyword in seen and keyword in _MEANINGFUL:
                raise _ambiguous("An extended header says the same thing twice")
            seen.add(keyword)
            if keyword.startswith(_SPARSE_WORDS):
                raise _sparse()
            if keyword == b"path":
                self.take_name(value)
            elif keyword == b"size":
                self.size_bytes = pax_size(value)

    def take_name(self, raw_name: bytes) -> None:
        if self.raw_name is not None:
            raise _ambiguous("Two headers name the same entry")
        self.raw_name, self.is_pending = raw_name, True


def _check_global(content: bytes) -> None:
    # git leaves the commit there, which is fine.
    for keyword, _ in pax_records(content):
        if keyword.startswith(_SPARSE_WORDS):
            raise _sparse()
        if keyword in _MEANINGFUL:
            raise unreadable(
                "archive.global_header", f"The archive sets the {keyword.decode()} of every entry in a global header"
            )


def _sparse() -> Unreadable:
    return unreadable("archive.sparse", "The archive holds a sparse file", hint="Pack it with `tar` without `--sparse`")


def _ambiguous(what: str) -> Unreadable:
    return unreadable("archive.ambiguous_header", what)


class _Tape:
    """A forward-only reader in whole blocks."""

    def __init__(self, stream: Readable, most_headers: int) -> None:
        self._stream = stream
        self._headers_left = most_headers

    def header(self) -> Header | None:
        """Return the next header, or None at the end of the archive."""
        if not self._headers_left:
            raise unreadable("archive.too_many_files", "The tar archive has more headers than any plugin needs")
        self._headers_left -= 1
        block = self._exactly(BLOCK_BYTES)
        return None if block == _ZEROS else read_header(block)

    def metadata(self, size: int) -> bytes:
        if size > _MAX_METADATA_BYTES:
            raise unreadable("archive.long_header", f"The archive has a header of {size} bytes")
        return b"".join(self.content(size))

    def content(self, size: int) -> Iterator[bytes]:
        left = size
        while left:
            chunk = self._stream.read(min(left, CHUNK_BYTES))
            if not chunk:
                raise damaged("it ends in the middle of an entry")
            left -= len(chunk)
            yield chunk
        if size % BLOCK_BYTES:
            self._exactly(BLOCK_BYTES - size % BLOCK_BYTES)

    def check_rest(self) -> None:
        """Read what follows the end mark, which also has the checksum of a compressed stream verified."""
        while rest := self._stream.read(CHUNK_BYTES):
            if rest.strip(b"\0"):
                raise unreadable("archive.trailing_data", "More data follows the end of the tar archive")

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._stream.read(size - len(data))
            if not more:
                raise damaged("it ends before its end mark")
            data += more
        return data
