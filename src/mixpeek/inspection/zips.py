"""Reads zip archives member by member; the directory at the end is measured before it is loaded."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from mixpeek.inspection.findings import error
from mixpeek.inspection.limits import ArchiveLimits
from mixpeek.inspection.members import CHUNK_BYTES, Member, MemberKind, Unreadable, damaged

_END_MARK = b"PK\x05\x06"
_END = struct.Struct("<4s4H2LH")
_ZIP64_LOCATOR_MARK = b"PK\x06\x07"
_ZIP64_LOCATOR_BYTES = 20
_MAX_DIRECTORY_BYTES = 8 * 1024 * 1024
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
# `zipfile` follows offsets and decodes names before it checks them, so damage shows as a ValueError too.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, ValueError, OverflowError)


def zip_members(source: BinaryIO, limits: ArchiveLimits) -> Iterator[Member]:
    """Yield the members of a zip file in the order of its directory.

    Raises: Unreadable: the file is damaged, encrypted, or uses a form that plugins never need.
    """
    _check_directory(source, limits)
    with _read_errors():
        archive = zipfile.ZipFile(source)
    with archive:
        for info in archive.infolist():
            yield _member(archive, info)


@contextmanager
def _read_errors() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as cause:
        raise damaged(str(cause) or "the zip file cannot be read") from cause


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    # `zipfile` cuts names at a NUL; the name as it was written is the one to judge.
    return Member(info.orig_filename, _kind(info), _content(archive, info))


def _kind(info: zipfile.ZipInfo) -> MemberKind:
    form = stat.S_IFMT(info.external_attr >> 16)
    if form == stat.S_IFLNK:
        return MemberKind.LINK
    if form not in (0, stat.S_IFREG, stat.S_IFDIR):
        return MemberKind.SPECIAL
    return MemberKind.FOLDER if form == stat.S_IFDIR or info.orig_filename.endswith("/") else MemberKind.FILE


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    if info.flag_bits & _ENCRYPTED:
        raise _unsupported(info, "is encrypted")
    if info.compress_type not in _METHODS:
        raise _unsupported(info, f"is packed with method {info.compress_type}")
    with _read_errors(), archive.open(info) as content:
        while chunk := content.read(CHUNK_BYTES):
            yield chunk


def _unsupported(info: zipfile.ZipInfo, what: str) -> Unreadable:
    return Unreadable(
        error(
            "archive.unsupported",
            f"Entry `{info.orig_filename[:200]}` {what}, which is not supported",
            hint="Pack the plugin again with plain deflate compression",
        )
    )


def _check_directory(source: BinaryIO, limits: ArchiveLimits) -> None:
    """Refuse a directory that `zipfile` would need much memory for: it loads all of it before we see an entry."""
    size = source.seek(0, 2)
    start = max(0, size - _END.size - 0xFFFF)
    source.seek(start)
    tail = source.read(size - start)
    source.seek(0)
    at = len(tail) - _END.size
    # The same two places, in the same order, in which `zipfile` looks for the end record.
    if at < 0 or not (tail.startswith(_END_MARK, at) and tail.endswith(b"\0\0")):
        at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        raise damaged("the directory at the end of the zip file is missing")
    entries, directory_bytes = _END.unpack_from(tail, at)[4:6]
    zip64 = tail[max(0, at - _ZIP64_LOCATOR_BYTES) : at].startswith(_ZIP64_LOCATOR_MARK)
    if zip64 or entries > limits.entries or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise Unreadable(
            error(
                "archive.too_many_files",
                f"The zip file has more entries than the {limits.files} files allowed",
                hint="Leave out what the plugin does not need, for example through .mixpeekignore",
            )
        )
