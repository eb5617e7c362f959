"""The headers of a tar archive: one 512-byte block, and the records of an extended header."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mixpeek.inspection.members import damaged, unreadable

BLOCK_BYTES = 512
_USTAR, _GNU = b"ustar\x00", b"ustar "
_CHECKSUM = slice(148, 156)
_BINARY, _NEGATIVE = 0x80, 0xFF
# Owner, group, time and device: nothing here depends on them, but there are tools that stop where one cannot be read.
_OTHER_NUMBERS = (slice(108, 116), slice(116, 124), slice(136, 148), slice(329, 337), slice(337, 345))
_MOST_DIGITS = 15


@dataclass(frozen=True)
class Header:
    """What one block says; ``kind`` is the type flag."""

    raw_name: bytes
    mode: int
    size_bytes: int
    kind: bytes
    link: bytes


def read_header(block: bytes) -> Header:
    """Return what a block says; raise Unreadable if tools could read it in more than one way."""
    magic = block[257:263]
    if magic not in (_USTAR, _GNU):
        raise damaged("a tar header has no mark of its format")
    _check_sum(block)
    for field in _OTHER_NUMBERS:
        _number(block[field], may_be_negative=True)
    prefix = block[345:500].split(b"\0", 1)[0]
    name = block[:100].split(b"\0", 1)[0]
    if magic == _USTAR and prefix:
        name = prefix + b"/" + name
    elif prefix:
        # GNU keeps times there; others take them for the start of the name.
        raise unreadable("archive.ambiguous_header", "A tar header has both a GNU mark and a name's prefix")
    return Header(
        raw_name=name,
        mode=_number(block[100:108]),
        size_bytes=_number(block[124:136]),
        kind=block[156:157],
        link=block[157:257].split(b"\0", 1)[0],
    )


def _check_sum(block: bytes) -> None:
    claimed = _number(block[_CHECKSUM])
    rest = block[: _CHECKSUM.start] + b" " * 8 + block[_CHECKSUM.stop :]
    # Old tools summed signed bytes, which differs only where a header is not ASCII.
    if claimed != sum(rest) and claimed != sum(byte - 256 if byte > 127 else byte for byte in rest):
        raise unreadable("archive.header_checksum", "The checksum of a tar header is wrong")


def _number(field: bytes, *, may_be_negative: bool = False) -> int:
    if field[0] == _NEGATIVE:
        if may_be_negative:
            return int.from_bytes(field, "big", signed=True)
        raise unreadable("archive.bad_number", "A tar header holds a negative number")
    if field[0] == _BINARY:
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0", 1)[0].strip(b" ")
    if field[0] & _BINARY or any(digit not in b"01234567" for digit in digits):
        raise unreadable("archive.bad_number", "A tar header holds something else where a number belongs")
    return int(digits or b"0", 8)


def pax_records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the keywords and values of an extended header; raise Unreadable if they cannot be told apart."""
    while content:
        digits, _, rest = content.partition(b" ")
        if not digits.isdigit() or len(digits) > 8 or not len(digits) + 1 < int(digits) <= len(content):
            raise damaged("an extended header cannot be read")
        record = rest[: int(digits) - len(digits) - 1]
        keyword, equals, value = record[:-1].partition(b"=")
        if not record.endswith(b"\n") or not equals:
            raise damaged("an extended header cannot be read")
        yield keyword, value
        content = content[int(digits) :]


def pax_size(value: bytes) -> int:
    """Return the size that a record gives."""
    if not value.isdigit() or len(value) > _MOST_DIGITS:
        raise unreadable("archive.bad_number", "An extended header gives no valid size")
    return int(value)
