"""Checks a .onnx file: well-formed protobuf with a graph, whose external data stays beside it.

The messages are walked in place through a memory map; nothing is decoded beyond tags, lengths and a few names.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MAX_FIELDS = 3_000_000
MAX_DEPTH = 64

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_LOCATION_BYTES = 1024

# Which fields of which message lead to tensors: {message: {field number: message}}, from the published onnx.proto.
_WAYS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "function": {7: "node", 11: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
}
_IR_VERSION, _GRAPH, _OPSETS = 1, 7, 8


class _Malformed(Exception):
    """The file is not well formed; the message says how."""


def fault_of_onnx(path: Path, beside: frozenset[str]) -> str | None:
    """Return what is wrong with the file, None if nothing is.

    Args: beside: files its external data may be in, as paths relative to its own folder.
    """
    if path.stat().st_size == 0:
        return "the file is empty"
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            locations = _Walk(data).external_locations()
        except _Malformed as error:
            return str(error)
    for location in sorted(locations):
        parts = PurePosixPath(location).parts
        if location.startswith("/") or ".." in parts or "\\" in location or "\0" in location:
            return f"its external data is outside of its folder, at {location[:200]!r}"
        if PurePosixPath(location).as_posix() not in beside:
            return f"its external data {location[:200]!r} is not in the archive"
    return None


class _Walk:
    """One pass over one file, with a budget of fields."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._left = MAX_FIELDS

    def external_locations(self) -> set[str]:
        seen: set[int] = set()
        locations: set[str] = set()
        pending: list[tuple[str, int, int, int]] = [("model", 0, len(self._data), 0)]
        while pending:
            message, start, end, depth = pending.pop()
            if depth > MAX_DEPTH:
                raise _Malformed(f"its graphs are nested more than {MAX_DEPTH} deep")
            if message == "external":
                locations |= self._location(start, end)
                continue
            for number, wire, begins, ends in self._fields(start, end):
                if message == "model":
                    seen.add(number)
                into = _WAYS[message].get(number)
                if into is not None:
                    if wire != _BYTES:
                        raise _Malformed(f"field {number} of its {message} is no message")
                    pending.append((into, begins, ends, depth + 1))
        for number, what in ((_IR_VERSION, "IR version"), (_GRAPH, "graph"), (_OPSETS, "operator set")):
            if number not in seen:
                raise _Malformed(f"it is no ONNX model: it has no {what}")
        return locations

    def _fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (number, wire type, begin, end) of each field between two offsets."""
        at = start
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise _Malformed(f"it has more than {MAX_FIELDS} fields")
            tag, at = self._varint(at, end)
            number, wire = tag >> 3, tag & 7
            begins = at
            if wire == _VARINT:
                _, at = self._varint(at, end)
            elif wire == _BYTES:
                length, begins = self._varint(at, end)
                at = begins + length
            elif wire in (_FIXED64, _FIXED32):
                at += 8 if wire == _FIXED64 else 4
            else:
                raise _Malformed("it is not well-formed protobuf")
            if at > end or number == 0:
                raise _Malformed("a field reaches beyond its message")
            yield number, wire, begins, at

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if at >= end:
                raise _Malformed("it ends in the middle of a number")
            byte = self._data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
        raise _Malformed("a number in it is too long")

    def _location(self, start: int, end: int) -> set[str]:
        """Return the value of an external-data entry if its key is `location`."""
        entry: dict[int, bytes] = {}
        for number, wire, begins, ends in self._fields(start, end):
            if wire == _BYTES and number in (1, 2):
                if ends - begins > _MAX_LOCATION_BYTES:
                    raise _Malformed("an external-data entry is too long")
                entry[number] = self._data[begins:ends]
        if entry.get(1) != b"location":
            return set()
        return {entry.get(2, b"").decode("utf-8", "replace")}
