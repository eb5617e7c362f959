"""Putting right what a random change breaks first (checksums, lengths), so that fuzzing gets past the doorman."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Iterator

from fuzz.mutations import MAX_BYTES

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_BLOCK = 512


def repair_zip(data: bytes, how: int) -> bytes:
    """Return a zip file with right checksums (1), or written anew from its local headers (2); 0 leaves it alone."""
    if how == 1:
        return _with_checksums(data)
    if how == 2:
        return _rewritten(data)
    return data


def _with_checksums(data: bytes) -> bytes:
    raw = bytearray(data)
    for at in _places(data, b"PK\x01\x02", _CENTRAL.size):
        central = list(_CENTRAL.unpack_from(raw, at))
        local_at = central[16]
        if raw[local_at : local_at + 4] != b"PK\x03\x04" or local_at + _LOCAL.size > len(raw):
            continue
        local = list(_LOCAL.unpack_from(raw, local_at))
        start = local_at + _LOCAL.size + local[9] + local[10]
        content, packed = _content(bytes(raw[start:]), central[4], central[8])
        sums = [zlib.crc32(content), packed, len(content)]
        central[7:10] = sums
        _CENTRAL.pack_into(raw, at, *central)
        if not local[2] & 8:
            local[6:9] = sums
            _LOCAL.pack_into(raw, local_at, *local)
    return bytes(raw)


def _rewritten(data: bytes) -> bytes:
    out, directory, count = io.BytesIO(), io.BytesIO(), 0
    for at in _places(data, b"PK\x03\x04", _LOCAL.size):
        mark, needs, flags, method, time, date, _, packed, _, name_bytes, extra_bytes = _LOCAL.unpack_from(data, at)
        start = at + _LOCAL.size + name_bytes + extra_bytes
        if out.tell() > MAX_BYTES:
            break  # entries that quote one another grow without end
        if start > len(data):
            continue
        content, packed = _content(data[start:], method, packed)
        sums = (zlib.crc32(content), packed, len(content))
        tail = data[at + _LOCAL.size : start]
        flags &= ~8
        offset = out.tell()
        out.write(_LOCAL.pack(mark, needs, flags, method, time, date, *sums, name_bytes, extra_bytes))
        out.write(tail + data[start : start + packed])
        made, attributes = 3 << 8 | 20, 0o100644 << 16
        head = (b"PK\x01\x02", made, needs, flags, method, time, date, *sums, name_bytes, extra_bytes)
        directory.write(_CENTRAL.pack(*head, 0, 0, 0, attributes, offset) + tail)
        count += 1
    start = out.tell()
    end = _END.pack(b"PK\x05\x06", 0, 0, count % 65_536, count % 65_536, len(directory.getvalue()), start, 0)
    return out.getvalue() + directory.getvalue() + end


def _content(data: bytes, method: int, packed: int) -> tuple[bytes, int]:
    """Return the content at the start of the data, and how many bytes it takes up there."""
    if method != 8:
        content = data[: min(packed, MAX_BYTES)]
        return content, len(content)
    inflater = zlib.decompressobj(-15)
    try:
        content = inflater.decompress(data, 1024 * 1024)
    except zlib.error:
        return b"", min(packed, len(data))
    return content, len(data) - len(inflater.unused_data) - len(inflater.unconsumed_tail)


def _places(data: bytes, mark: bytes, size: int) -> Iterator[int]:
    at = data.find(mark)
    while at >= 0:
        if at + size <= len(data):
            yield at
        at = data.find(mark, at + 1)


def plain_tar(data: bytes) -> bytes:
    """Return the tar inside of a gzip file, or the data itself."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return zlib.decompressobj(31).decompress(data, MAX_BYTES)
    except zlib.error:
        return data


def repair_tar(data: bytes, how: int) -> bytes:
    """Return a tar with right header checksums (1, 2), gzipped (2, 3); 0 leaves it alone."""
    if how in (1, 2):
        data = _with_tar_checksums(data)
    return gzip.compress(data, 1, mtime=0) if how in (2, 3) else data


def _with_tar_checksums(data: bytes) -> bytes:
    raw = bytearray(data)
    at = 0
    while at + _BLOCK <= len(raw):
        block = bytes(raw[at : at + _BLOCK])
        if not block.strip(b"\0"):
            break
        total = sum(block[:148]) + sum(block[156:]) + 8 * 32
        raw[at + 148 : at + 156] = b"%06o\0 " % total
        try:
            size = tarfile.nti(block[124:136])  # type: ignore[attr-defined]
        except tarfile.HeaderError:
            size = 0
        at += _BLOCK * (1 + max(0, size + _BLOCK - 1) // _BLOCK)
    return bytes(raw)


def repair_frames(data: bytes, how: int) -> bytes:
    """Return one frame around the data (1), of which all after its last brace is the body; 0 leaves it alone."""
    if how != 1:
        return data
    rest = data[8:]
    cut = rest.rfind(b"}") + 1
    return struct.pack("<II", cut, len(rest) - cut) + rest
