"""The directory at the end of a zip file, read strictly: it must account for every byte of the file.

Each reader of zip files looks for the end record and the entries in its own way. Where two of them could see
different files, the archive is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from mixpeek.inspection.limits import ArchiveLimits
from mixpeek.inspection.members import damaged, text_from, unreadable
from mixpeek.inspection.zip_extra import ZIP64, read_extra

_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"
_LOCATOR = struct.Struct("<4sLQL")
_LOCATOR_MARK = b"PK\x06\x07"
_END64 = struct.Struct("<4sQ2H2L4Q")
_END64_MARK = b"PK\x06\x06"
_ENTRY = struct.Struct("<4s6H3L5H2L")
_ENTRY_MARK = b"PK\x01\x02"
_LOCAL_BYTES = 30
_MARKS = (_END_MARK, _LOCATOR_MARK, _END64_MARK, _ENTRY_MARK, b"PK\x03\x04")
_MAX_DIRECTORY_BYTES = 8 * 1024 * 1024
MAX_16, MAX_32 = 0xFFFF, 0xFFFFFFFF


@dataclass(frozen=True)
class Listed:
    """One entry of the directory; its header starts at ``offset``, and at ``end`` something else starts."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed_bytes: int
    size_bytes: int
    attributes: int
    offset: int
    extra: dict[int, bytes]
    made_on: int
    end: int = 0

    @property
    def name(self) -> str:
        """Return the name for a message."""
        return text_from(self.raw_name)


@dataclass(frozen=True)
class _End:
    entries: int
    directory_bytes: int
    directory_at: int
    directory_end: int


def read_directory(source: BinaryIO, limits: ArchiveLimits) -> list[Listed]:
    """Return the entries in their order, each beginning where the one before it ends or later.

    Raises: Unreadable: the directory lies, overlaps, is spread over disks, or leaves bytes unaccounted for.
    """
    end = _read_end(source)
    if end.entries > limits.entries or end.directory_bytes > _MAX_DIRECTORY_BYTES:
        raise unreadable(
            "archive.too_many_files",
            f"The zip file has more entries than the {limits.files} files allowed",
            hint="Leave out what the plugin does not need, for example through .mixpeekignore",
        )
    _check_place(source, end)
    source.seek(end.directory_at)
    listed = list(_entries(source.read(end.directory_bytes), end))
    return _in_order(listed, end)


def has_end_record(source: BinaryIO) -> bool:
    """Tell whether the file ends as a zip file does, whatever it starts with."""
    size = source.seek(0, 2)
    source.seek(max(0, size - _END.size - MAX_16))
    return _END_MARK in source.read()


def _read_end(source: BinaryIO) -> _End:
    size = source.seek(0, 2)
    start = max(0, size - _END.size - MAX_16)
    source.seek(start)
    tail = source.read()
    at = _find_end(tail)
    _, disk, first_disk, here, entries, directory_bytes, directory_at, _ = _END.unpack_from(tail, at)
    if disk not in (0, MAX_16) or first_disk not in (0, MAX_16) or here != entries:
        raise unreadable("archive.multi_disk", "The zip file is one of several parts", hint="Pack it in one part")
    plain = _End(entries, directory_bytes, directory_at, start + at)
    is_claimed = entries == MAX_16 or MAX_32 in (directory_bytes, directory_at) or MAX_16 in (disk, first_disk)
    return _read_end64(source, plain, is_claimed=is_claimed)


def _find_end(tail: bytes) -> int:
    """Return where the only end record is that ends with the file."""
    marks = list(_places(tail, _END_MARK))
    whole = [at for at in marks if at + _END.size <= len(tail)]
    ends = {at: at + _END.size + _END.unpack_from(tail, at)[7] for at in whole}
    exact = [at for at in whole if ends[at] == len(tail)]
    if not exact:
        if whole and ends[whole[-1]] < len(tail):
            extra = len(tail) - ends[whole[-1]]
            raise unreadable("archive.trailing_data", f"{extra} bytes follow the end of the zip file")
        raise damaged("the directory at the end of the zip file is missing")
    _check_comment(tail[exact[0] + _END.size :])
    return exact[0]


def _check_comment(comment: bytes) -> None:
    try:
        is_text = all(char.isprintable() or char in "\r\n\t" for char in comment.decode())
    except UnicodeDecodeError:
        is_text = False
    if not is_text or any(mark in comment for mark in _MARKS):
        raise unreadable("archive.comment", "The zip file has a comment that is not plain text", hint="Remove it")


def _read_end64(source: BinaryIO, plain: _End, *, is_claimed: bool) -> _End:
    locator_at = plain.directory_end - _LOCATOR.size
    source.seek(max(0, locator_at))
    raw = source.read(_LOCATOR.size) if locator_at >= 0 else b""
    if not raw.startswith(_LOCATOR_MARK):
        if is_claimed:
            raise _lie("it announces a zip64 record and has none")
        return plain
    _, disk, record_at, disks = _LOCATOR.unpack(raw)
    if disk != 0 or disks > 1:
        raise unreadable("archive.multi_disk", "The zip file is one of several parts", hint="Pack it in one part")
    if record_at != locator_at - _END64.size:
        raise _lie("its locator does not point at the record before it")
    source.seek(record_at)
    mark, length, _, _, disk, first_disk, here, entries, size, at = _END64.unpack(source.read(_END64.size))
    if mark != _END64_MARK or length != _END64.size - 12 or disk or first_disk or here != entries:
        raise _lie("its record cannot be read")
    pairs = ((plain.entries, entries, MAX_16), (plain.directory_bytes, size, MAX_32), (plain.directory_at, at, MAX_32))
    if any(short not in (long, most) for short, long, most in pairs):
        raise _lie("its two end records disagree")
    return _End(entries, size, at, record_at)


def _lie(what: str) -> Exception:
    return unreadable("archive.zip64", f"The zip file's zip64 fields are wrong: {what}")


def _check_place(source: BinaryIO, end: _End) -> None:
    """Refuse a directory that does not reach up to the end record, as one with something before the archive."""
    unclaimed = end.directory_end - end.directory_at - end.directory_bytes
    if unclaimed < 0:
        raise damaged("the directory of the zip file reaches over its end")
    if unclaimed == 0:
        return
    source.seek(end.directory_at)
    if end.entries and source.read(4) != _ENTRY_MARK:
        raise unreadable("archive.leading_data", f"{unclaimed} bytes come before the zip file")
    raise unreadable(
        "archive.hidden_data", f"{unclaimed} bytes lie between the zip file's directory and its end record"
    )


def _entries(raw: bytes, end: _End) -> Iterator[Listed]:
    at = count = 0
    while at < len(raw):
        if len(raw) - at < _ENTRY.size or raw[at : at + 4] != _ENTRY_MARK:
            raise damaged(f"entry {count + 1} of the zip file's directory cannot be read")
        if count == end.entries:
            break
        fields = _ENTRY.unpack_from(raw, at)
        name_bytes, extra_bytes, comment_bytes = fields[10:13]
        ends = at + _ENTRY.size + name_bytes + extra_bytes + comment_bytes
        if ends > len(raw):
            raise damaged(f"entry {count + 1} of the zip file's directory is cut off")
        extra_at = at + _ENTRY.size + name_bytes
        yield _listed(fields, raw[at + _ENTRY.size : extra_at], raw[extra_at : extra_at + extra_bytes])
        _check_comment(raw[ends - comment_bytes : ends])
        at, count = ends, count + 1
    if count != end.entries or at != len(raw):
        raise unreadable(
            "archive.header_mismatch", f"The zip file says that it has {end.entries} entries, which is not so"
        )


def _listed(fields: tuple[int, ...], raw_name: bytes, raw_extra: bytes) -> Listed:
    _, made, _, flags, method, _, _, crc, packed, size, _, _, _, disk, _, attributes, offset = fields
    extra = read_extra(raw_extra)
    # The record holds those of the three, in this order, that do not fit their own field.
    record, at = extra.get(ZIP64, b""), 0
    values = []
    for value in (size, packed, offset):
        if value == MAX_32:
            if len(record) < at + 8:
                raise _lie(f"entry `{text_from(raw_name)[:200]}` lacks a size or a place")
            values.append(int.from_bytes(record[at : at + 8], "little"))
            at += 8
        else:
            values.append(value)
    if disk not in (0, MAX_16):
        raise unreadable("archive.multi_disk", "The zip file is one of several parts", hint="Pack it in one part")
    return Listed(raw_name, flags, method, crc, values[1], values[0], attributes, values[2], extra, made >> 8)


def _in_order(listed: list[Listed], end: _End) -> list[Listed]:
    """Return the entries with where each ends, having checked that none reaches into another."""
    starts = [entry.offset for entry in listed]
    if starts and min(starts) > 0:
        raise unreadable("archive.leading_data", f"{min(starts)} bytes come before the first entry of the zip file")
    if not starts:
        if end.directory_at > 0:
            raise unreadable("archive.hidden_data", f"The zip file holds {end.directory_at} bytes and names no entry")
        return []
    placed = [replace(entry, end=ends) for entry, ends in zip(listed, (*starts, end.directory_at)[1:], strict=True)]
    for entry in placed:
        if entry.offset + _LOCAL_BYTES + len(entry.raw_name) + entry.packed_bytes > entry.end:
            raise unreadable(
                "archive.overlap",
                f"Entry `{entry.name[:200]}` reaches into what follows it, or the entries are out of order",
                path=entry.name[:200],
            )
    return placed


def _places(data: bytes, mark: bytes) -> Iterator[int]:
    at = data.find(mark)
    while at >= 0:
        yield at
        at = data.find(mark, at + 1)
