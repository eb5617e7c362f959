"""Reads zip archives member by member, each compared with what the directory says of it."""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from mixpeek.inspection.findings import Finding
from mixpeek.inspection.limits import ArchiveLimits
from mixpeek.inspection.members import CHUNK_BYTES, Member, MemberKind, Unreadable, damaged, entry_refusal, unreadable
from mixpeek.inspection.zip_directory import MAX_32, Listed, read_directory
from mixpeek.inspection.zip_extra import ZIP64, read_extra, renamed

_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_MARK = b"PK\x03\x04"
_STORED, _DEFLATED, _AES = 0, 8, 99
_HAS_DESCRIPTOR, _IS_UTF8 = 0x8, 0x800
# Encrypted, strongly encrypted, with a masked header.
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_COMPARED_FLAGS = _ENCRYPTED | _HAS_DESCRIPTOR | _IS_UTF8 | 0x20
_UNIX = (3, 19)
_DOS_FOLDER, _DOS_REPARSE = 0x10, 0x400
_DESCRIPTORS = {
    12: struct.Struct("<3L"),
    16: struct.Struct("<4x3L"),
    20: struct.Struct("<L2Q"),
    24: struct.Struct("<4xL2Q"),
}
_DESCRIPTOR_MARK = b"PK\x07\x08"
_REPACK = "Pack the plugin again with plain deflate compression and no password"


def zip_members(source: BinaryIO, limits: ArchiveLimits) -> Iterator[Member]:
    """Yield the members of a zip file in their order.

    Raises: Unreadable: the file is damaged, or its parts do not agree on what it holds.
    """
    for listed in read_directory(source, limits):
        yield _member(source, listed)


def _member(source: BinaryIO, listed: Listed) -> Member:
    local = _Local(source, listed)
    refusals = (*local.mismatches(), *_refusals(listed))
    kind, mode = _kind(listed), stat.S_IMODE(listed.attributes >> 16)
    content = iter(()) if refusals else _content(source, listed, local.data_at)
    return Member(listed.name, kind, content, mode, refusals)


def _refusals(listed: Listed) -> Iterator[Finding]:
    if listed.flags & _ENCRYPTED or listed.method == _AES:
        yield entry_refusal("archive.encrypted", listed.name, "is encrypted", _REPACK)
    elif listed.method not in (_STORED, _DEFLATED) or listed.flags & 0x20:
        yield entry_refusal(
            "archive.compression", listed.name, f"is packed with method {listed.method}, not deflated", _REPACK
        )
    if _is_folder_by_attributes(listed) and not listed.raw_name.endswith(b"/"):
        yield entry_refusal(
            "archive.ambiguous_header", listed.name, "is a folder by its attributes and a file by its name"
        )
    # On Unix `zip` writes UTF-8 and leaves the mark out; elsewhere it may be any code page.
    if not listed.raw_name.isascii() and not listed.flags & _IS_UTF8 and listed.made_on not in _UNIX:
        yield entry_refusal(
            "archive.name_encoding",
            listed.name,
            "has a name in an encoding that the zip file does not tell",
            "Use plain ASCII names, or a tool that marks names as UTF-8",
        )
    if (other := renamed(listed.extra, listed.raw_name)) is not None:
        shown = other.decode("utf-8", "backslashreplace")[:200]
        yield entry_refusal("archive.renaming_extra", listed.name, f"is called `{shown}` by an extra field")


def _kind(listed: Listed) -> MemberKind:
    form = stat.S_IFMT(listed.attributes >> 16)
    if form == stat.S_IFLNK or listed.attributes & _DOS_REPARSE:
        return MemberKind.LINK
    if form not in (0, stat.S_IFREG, stat.S_IFDIR):
        return MemberKind.SPECIAL
    return MemberKind.FOLDER if listed.raw_name.endswith(b"/") else MemberKind.FILE


def _is_folder_by_attributes(listed: Listed) -> bool:
    return stat.S_IFMT(listed.attributes >> 16) == stat.S_IFDIR or bool(listed.attributes & _DOS_FOLDER)


class _Local:
    """The header in front of a member's content."""

    def __init__(self, source: BinaryIO, listed: Listed) -> None:
        self._source = source
        self._listed = listed
        source.seek(listed.offset)
        raw = source.read(_LOCAL.size)
        if len(raw) < _LOCAL.size or not raw.startswith(_LOCAL_MARK):
            raise damaged(f"entry `{listed.name[:200]}` is not where the directory says")
        self._fields = _LOCAL.unpack(raw)
        name_bytes, extra_bytes = self._fields[9:11]
        self._raw_name = source.read(name_bytes)
        self._extra = read_extra(source.read(extra_bytes))
        self.data_at = listed.offset + _LOCAL.size + name_bytes + extra_bytes

    def mismatches(self) -> Iterator[Finding]:
        """Give what the two descriptions of this member disagree in; raise Unreadable if bytes are left over."""
        listed = self._listed
        if self._raw_name != listed.raw_name:
            other = self._raw_name.decode("utf-8", "backslashreplace")[:200]
            yield self._mismatch(f"is called `{other}` where it lies")
        flags, method = self._fields[2:4]
        if (flags ^ listed.flags) & _COMPARED_FLAGS:
            yield self._mismatch("has other flags where it lies")
        if method != listed.method:
            yield self._mismatch(f"is packed with method {method} where it lies")
        if not self._sums_agree():
            yield self._mismatch("has another size or checksum where it lies")
        other_path = renamed(self._extra, listed.raw_name)
        if other_path is not None and renamed(listed.extra, listed.raw_name) is None:
            shown = other_path.decode("utf-8", "backslashreplace")[:200]
            yield entry_refusal("archive.renaming_extra", listed.name, f"is called `{shown}` by an extra field")
        yield from self._check_end()

    def _sums_agree(self) -> bool:
        listed = self._listed
        crc, packed, size = self._fields[6:9]
        given, wide = [crc, size, packed], self._extra.get(ZIP64, b"")
        for index in (1, 2):
            if given[index] == MAX_32 and len(wide) >= 8:
                given[index] = int.from_bytes(wide[:8], "little")
                wide = wide[8:]
        expected = [listed.crc, listed.size_bytes, listed.packed_bytes]
        is_streamed = bool(listed.flags & _HAS_DESCRIPTOR)
        return all(one == other or (is_streamed and one == 0) for one, other in zip(given, expected, strict=True))

    def _check_end(self) -> Iterator[Finding]:
        listed = self._listed
        left = listed.end - self.data_at - listed.packed_bytes
        if left < 0:
            raise unreadable(
                "archive.overlap", f"Entry `{listed.name[:200]}` reaches into what follows it", path=listed.name[:200]
            )
        if not listed.flags & _HAS_DESCRIPTOR:
            if left:
                yield entry_refusal("archive.hidden_data", listed.name, f"is followed by {left} bytes of no entry")
            return
        if left not in _DESCRIPTORS:
            yield entry_refusal("archive.hidden_data", listed.name, f"is followed by {left} bytes, not by its sizes")
            return
        self._source.seek(listed.end - left)
        raw = self._source.read(left)
        if left in (16, 24) and not raw.startswith(_DESCRIPTOR_MARK):
            yield self._mismatch("has no data descriptor behind it")
        elif _DESCRIPTORS[left].unpack(raw) != (listed.crc, listed.packed_bytes, listed.size_bytes):
            yield self._mismatch("has another size or checksum behind it")

    def _mismatch(self, what: str) -> Finding:
        return entry_refusal("archive.header_mismatch", self._listed.name, what)


def _content(source: BinaryIO, listed: Listed, data_at: int) -> Iterator[bytes]:
    """Give the content; what is wrong with it concerns this member only, as the next one's place is known."""
    source.seek(data_at)
    crc = size = 0
    try:
        for chunk in _inflated(source, listed) if listed.method == _DEFLATED else _packed(source, listed):
            crc = zlib.crc32(chunk, crc)
            size += len(chunk)
            if size > listed.size_bytes:
                break
            yield chunk
    except zlib.error as cause:
        raise _broken(listed, str(cause)) from cause
    if size != listed.size_bytes:
        raise unreadable(
            "archive.header_mismatch",
            f"Entry `{listed.name[:200]}` is not the {listed.size_bytes} bytes long that it claims",
            path=listed.name[:200],
            only_member=True,
        )
    if crc != listed.crc:
        raise _broken(listed, "its checksum is wrong")


def _packed(source: BinaryIO, listed: Listed) -> Iterator[bytes]:
    left = listed.packed_bytes
    while left:
        chunk = source.read(min(left, CHUNK_BYTES))
        if not chunk:
            raise damaged("it ends in the middle of an entry")
        left -= len(chunk)
        yield chunk


def _inflated(source: BinaryIO, listed: Listed) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    is_over = False
    for packed in _packed(source, listed):
        is_over = is_over or inflater.eof
        data = packed
        while data and not inflater.eof:
            # No more than this comes out at once, however well it was packed.
            yield inflater.decompress(data, CHUNK_BYTES)
            data = inflater.unconsumed_tail
    while not inflater.eof and (rest := inflater.decompress(b"", CHUNK_BYTES)):
        yield rest
    if not inflater.eof:
        raise _broken(listed, "its content ends early")
    if is_over or inflater.unused_data:
        raise unreadable(
            "archive.hidden_data",
            f"Entry `{listed.name[:200]}` holds bytes after the end of its content",
            path=listed.name[:200],
            only_member=True,
        )


def _broken(listed: Listed, what: str) -> Unreadable:
    name = listed.name[:200]
    return unreadable("archive.damaged", f"Entry `{name}` is damaged: {what}", path=name, only_member=True)
