"""Tar archives written block by block, so that any field can lie."""

from __future__ import annotations

import gzip
from dataclasses import dataclass

BLOCK = 512
END = bytes(2 * BLOCK)
USTAR, GNU = b"ustar\x0000", b"ustar  \x00"


@dataclass(frozen=True)
class Entry:
    """One member; numbers given as bytes are written as they are."""

    name: str | bytes
    content: bytes = b"x = 1\n"
    kind: bytes = b"0"
    link: bytes = b""
    mode: int | bytes = 0o644
    size: int | bytes | None = None
    prefix: bytes = b""
    magic: bytes = USTAR
    checksum: int | None = None
    padding: bytes = b"\0"
    device: bytes = b""
    owner: int | bytes = 0
    time: int | bytes = 0

    @property
    def raw(self) -> bytes:
        """Return the header block, the content, and its padding."""
        name = self.name.encode() if isinstance(self.name, str) else self.name
        fields = [
            name.ljust(100, b"\0"),
            _number(self.mode, 8),
            *(_number(self.owner, 8), _number(0, 8)),
            _number(len(self.content) if self.size is None else self.size, 12),
            _number(self.time, 12),
            b" " * 8,
            self.kind,
            self.link.ljust(100, b"\0"),
            self.magic,
            b"root".ljust(32, b"\0") * 2,
            self.device.ljust(16, b"\0"),
            self.prefix.ljust(155, b"\0"),
        ]
        block = b"".join(fields).ljust(BLOCK, b"\0")
        assert len(block) == BLOCK, "a field is too long"
        total = sum(block) if self.checksum is None else self.checksum
        block = block[:148] + b"%06o\0 " % total + block[156:]
        return block + self.content + self.padding * (-len(self.content) % BLOCK)


def _number(value: int | bytes, width: int) -> bytes:
    if isinstance(value, bytes):
        return value.ljust(width, b"\0")
    return b"%0*o\0" % (width - 1, value)


def tar_of(*entries: Entry, end: bytes = END) -> bytes:
    """Return a tar of the entries."""
    return b"".join(entry.raw for entry in entries) + end


def gz_of(*entries: Entry, end: bytes = END) -> bytes:
    """Return a gzipped tar of the entries."""
    return gzip.compress(tar_of(*entries, end=end), mtime=0)


def pax(kind: bytes = b"x", **records: str | bytes) -> Entry:
    """Return an extended header; a dot in a keyword is written as two underscores."""
    content = b""
    for keyword, value in records.items():
        raw = value.encode() if isinstance(value, str) else value
        content += pax_record(keyword.replace("__", ".").encode(), raw)
    return Entry("PaxHeaders/x", content, kind)


def pax_record(keyword: bytes, value: bytes) -> bytes:
    """Return one record, whose length counts itself."""
    bare = len(keyword) + len(value) + 3
    length = bare + len(str(bare))
    length = bare + len(str(length))
    return b"%d %s=%s\n" % (length, keyword, value)


def simple_tar(*names: str) -> bytes:
    """Return a tar of small files with these names."""
    return tar_of(*(Entry(name, f"# {index}\n".encode()) for index, name in enumerate(names)))
