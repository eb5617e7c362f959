"""Zip archives written field by field, so that any field can lie."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

STORED, DEFLATED = 0, 8
UTF8 = 0x800
DATA_DESCRIPTOR = 0x8
REGULAR = 0o100644 << 16
UNIX, DOS = 3, 0


@dataclass(frozen=True)
class Entry:
    """One member; what is None is worked out from the content, and `local` overrides fields of the local header."""

    name: str | bytes
    content: bytes = b"x = 1\n"
    method: int = DEFLATED
    flags: int | None = None
    attributes: int = REGULAR
    made_on: int = UNIX
    extra: bytes = b""
    comment: bytes = b""
    crc: int | None = None
    packed: bytes | None = None
    packed_size: int | None = None
    size: int | None = None
    offset: int | None = None
    disk: int = 0
    descriptor: bytes | None = None
    local: dict[str, Any] | None = None

    @property
    def raw_name(self) -> bytes:
        """Return the name as it is written."""
        return self.name.encode() if isinstance(self.name, str) else self.name

    @property
    def raw_flags(self) -> int:
        """Return the flags as they are written."""
        if self.flags is not None:
            return self.flags
        return 0 if self.raw_name.isascii() else UTF8

    @property
    def body(self) -> bytes:
        """Return the packed content."""
        if self.packed is not None:
            return self.packed
        return deflate(self.content) if self.method == DEFLATED else self.content

    @property
    def sums(self) -> tuple[int, int, int]:
        """Return checksum, packed and unpacked size as they are written."""
        crc = zlib.crc32(self.content) if self.crc is None else self.crc
        packed = len(self.body) if self.packed_size is None else self.packed_size
        return crc, packed, len(self.content) if self.size is None else self.size


def deflate(content: bytes, level: int = 9) -> bytes:
    """Return the content as a raw deflate stream."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def local_part(entry: Entry) -> bytes:
    """Return the local header, the packed content and, if the flags ask for one, the data descriptor."""
    seen = replace(entry, **entry.local) if entry.local else entry
    streamed = bool(seen.raw_flags & DATA_DESCRIPTOR)
    sums = (0, 0, 0) if streamed and not (entry.local or {}).keys() & {"crc", "size", "packed_size"} else seen.sums
    fields = (20, seen.raw_flags, seen.method, 0, 33, *sums, len(seen.raw_name), len(seen.extra))
    head = struct.pack("<4s5H3L2H", b"PK\x03\x04", *fields) + seen.raw_name + seen.extra
    descriptor = b""
    if streamed:
        descriptor = struct.pack("<4s3L", b"PK\x07\x08", *entry.sums) if entry.descriptor is None else entry.descriptor
    return head + entry.body + descriptor


def central_part(entry: Entry, offset: int) -> bytes:
    """Return the entry of the directory."""
    fields = (entry.made_on << 8 | 20, 20, entry.raw_flags, entry.method, 0, 33, *entry.sums)
    lengths = (len(entry.raw_name), len(entry.extra), len(entry.comment))
    at = offset if entry.offset is None else entry.offset
    head = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *fields, *lengths, entry.disk, 0, entry.attributes, at)
    return head + entry.raw_name + entry.extra + entry.comment


def end_part(entries: int, length: int, start: int, comment: bytes = b"", **lies: int) -> bytes:
    """Return the record at the end."""
    fields = {"disk": 0, "start_disk": 0, "here": entries, "count": entries, "size": length, "at": start} | lies
    fields["comment_size"] = lies.get("comment_size", len(comment))
    return struct.pack("<4s4H2LH", b"PK\x05\x06", *fields.values()) + comment


def zip_of(
    *entries: Entry,
    before: bytes = b"",
    between: bytes = b"",
    gap: bytes = b"",
    after: bytes = b"",
    comment: bytes = b"",
    reverse: bool = False,
    hidden: Iterable[Entry] = (),
    **lies: int,
) -> bytes:
    """Return a zip of the entries.

    Args:
        before, between, gap, after: bytes put at the start, before the directory, before the end record, at the end.
        hidden: members that the directory does not name.
        lies: fields of the end record.
    """
    out = bytearray(before)
    offsets: list[int] = []
    for entry in entries:
        offsets.append(len(out))
        out += local_part(entry)
    for entry in hidden:
        out += local_part(entry)
    out += between
    at = len(out)
    listed = list(zip(entries, offsets, strict=True))
    for entry, offset in reversed(listed) if reverse else listed:
        out += central_part(entry, offset)
    size = len(out) - at
    return bytes(out) + gap + end_part(len(entries), size, at, comment, **lies) + after


def extra(kind: int, content: bytes) -> bytes:
    """Return one extra field."""
    return struct.pack("<HH", kind, len(content)) + content


def simple_zip(*names: str) -> bytes:
    """Return a zip of small files with these names."""
    return zip_of(*(Entry(name, f"# {index}\n".encode()) for index, name in enumerate(names)))
