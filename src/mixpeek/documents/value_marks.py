"""Which values a document has in which fields, as numbers in an indexed column; and what a filter asks of them.

A mark is a checksum of collection, generation, path and value, the value folded as filters compare it: `"5"` has the
mark of the number 5 beside that of its text, `"Red"` that of `red`, a list those of its items. What shares a mark need
not be equal, so a filter is always evaluated as well: marks only tell which documents are worth it. Pure.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from decimal import Context, Decimal
from typing import Any, assert_never

from mixpeek.documents.editing import LINEAGE
from mixpeek.documents.port import Index
from mixpeek.documents.surface import SURFACE
from mixpeek.filters.evaluate import members_of
from mixpeek.filters.model import AllOf, AnyOf, Condition, Filter, NoneOf, Operator
from mixpeek.filters.sql import Fragment
from mixpeek.filters.surface import Place, is_position
from mixpeek.filters.values import Members, decimal_of, fold, number_from_text, truth_from_text

# A document of more values than these, or of a value that is unlike JSON, is looked at by every filter.
MOST_MARKS = 256
# A longer text is marked by its beginning.
MOST_CHARACTERS = 128
# Beyond that, to look each of them up is no quicker than to evaluate the filter.
MOST_LOOKED_UP = 1000
_NUMBERS = Context(prec=30)
_NULL, _TRUE, _FALSE = b"\0n", b"\0y", b"\0f"


class _Unmarkable(Exception):
    """The value is none that JSON has, or there are too many."""


def marks_of(index: Index, payload: Mapping[str, Any], internal: Mapping[str, Any]) -> list[int]:
    """Return the marks of a document, in order, within the range of an `integer` of PostgreSQL."""
    start = _start(index)
    marks: set[int] = set()
    lineage = internal.get("lineage")
    if not isinstance(lineage, dict):
        lineage = {}
    try:
        _collect(payload, zlib.crc32(b"payload", start), marks)
        _collect({name: lineage[name] for name in LINEAGE if name in lineage}, zlib.crc32(b"lineage", start), marks)
    except _Unmarkable:
        return [_signed(start)]
    return sorted(map(_signed, marks))


def compile_marks(wanted: Filter, index: Index, *, prefix: str = "marks") -> Fragment | None:
    """Return a condition over `documents` that holds wherever a filter does, and has an index; None if there is none.

    Args: prefix: what the names of parameters begin with; another for each fragment of a statement.
    """
    writer = _Writer(index, prefix)
    text = writer.condition(wanted)
    return None if text is None else Fragment(text, writer.params)


def _start(index: Index) -> int:
    return zlib.crc32(f"{index.collection_id}\0{index.generation}\0".encode())


def _signed(mark: int) -> int:
    return mark - 2**32 if mark >= 2**31 else mark


def _within(path: int, step: str) -> int:
    return zlib.crc32(b"\0." + step.encode("utf-8", "surrogatepass"), path)


def _collect(fields: Mapping[str, Any], path: int, marks: set[int]) -> None:
    for name, value in fields.items():
        if type(name) is not str:
            raise _Unmarkable
        at = _within(path, name)
        if isinstance(value, dict):
            _collect(value, at, marks)
        elif isinstance(value, list | tuple):
            for item in value:
                if not isinstance(item, list | tuple | dict):
                    marks.update(zlib.crc32(each, at) for each in _written(item))
        else:
            marks.update(zlib.crc32(each, at) for each in _written(value))
        if len(marks) > MOST_MARKS:
            raise _Unmarkable


def _written(value: Any) -> Iterator[bytes]:
    """Yield each way in which a stored value is compared."""
    kind = type(value)
    if value is None or (kind is float and not math.isfinite(value)):  # which is stored as null
        yield _NULL
    elif kind is str:
        yield _of_text(fold(value[:MOST_CHARACTERS]))
        if (number := number_from_text(value)) is not None:
            yield _of_number(number)
        elif (truth := truth_from_text(value) if len(value) < MOST_CHARACTERS else None) is not None:
            yield _TRUE if truth else _FALSE
    elif kind is bool:
        yield _TRUE if value else _FALSE
    elif kind is int or kind is float:
        yield _of_number(decimal_of(value))
    else:
        raise _Unmarkable


def _of_text(folded: str) -> bytes:
    return b"\0t" + folded.encode("utf-8", "surrogatepass")


def _of_number(number: Decimal) -> bytes:
    # Rounded, so that a number of any length is written shortly: equal ones stay equal.
    return b"\0d" + str(_NUMBERS.normalize(number) if number else 0).encode()


def _looked_for(members: Members) -> Iterator[bytes]:
    """Yield what `_written` yields of every value that is among others, at the least."""
    for text in members.texts:
        yield _of_text(fold(text[:MOST_CHARACTERS]))
    for number in members.numbers | members.spelt_numbers:
        yield _of_number(number)
    for truth in members.truths | members.spelt_truths:
        yield _TRUE if truth else _FALSE
    if members.has_null:
        yield _NULL


class _Writer:
    def __init__(self, index: Index, prefix: str) -> None:
        self._start = _start(index)
        self._prefix = prefix
        self.params: dict[str, Any] = {}

    def condition(self, wanted: Filter) -> str | None:
        match wanted:
            case Condition():
                return self._field(wanted)
            case AllOf(parts):
                found = [text for text in map(self.condition, parts) if text is not None]
                return f"({' AND '.join(found)})" if found else None
            case AnyOf(parts):
                found = []
                for part in parts:
                    text = self.condition(part)
                    if text is None:
                        return None
                    found.append(text)
                return f"({' OR '.join(found)})" if found else None
            case NoneOf():
                return None
            case _:
                assert_never(wanted)

    def _field(self, condition: Condition) -> str | None:
        if condition.operator not in (Operator.EQ, Operator.IN):
            return None
        members = members_of(condition)
        if condition.field == "document_id":
            is_plain = members.is_exact and not members.numbers and not members.truths
            return f"(document_id = ANY({self._param(sorted(members.texts), 'text[]')}))" if is_plain else None
        paths = [self._path(place) for place in SURFACE.places(condition.field)]
        values = set(_looked_for(members))
        if members.structures or None in paths or len(values) > MOST_LOOKED_UP:
            return None
        marks = {zlib.crc32(value, path) for path in paths if path is not None for value in values}
        wanted = sorted(map(_signed, {self._start, *marks}))
        return f"(value_marks && {self._param(wanted, 'integer[]')})"

    def _path(self, place: Place) -> int | None:
        """Return what the marks of a place begin with; None where it has none."""
        column, path = place.column.name, place.path
        if not path or any(map(is_position, path)):
            return None
        if column == "payload":
            return self._inner(b"payload", path)
        if column == "internal" and path[0] == "lineage" and len(path) == 2 and path[1] in LINEAGE:
            return self._inner(b"lineage", path[1:])
        return None

    def _inner(self, root: bytes, path: Iterable[str]) -> int:
        at = zlib.crc32(root, self._start)
        for step in path:
            at = _within(at, step)
        return at

    def _param(self, value: Any, cast: str) -> str:
        name = f"{self._prefix}_{len(self.params)}"
        self.params[name] = value
        return f"%({name})s::{cast}"
