"""Documents as PostgreSQL's binary COPY reads them, written as whole buffers: value by value this took most of a batch.

Source: PostgreSQL's documentation of COPY, "Binary Format", and its `array_recv`; pgvector's `vector_recv`: dimension,
0, big-endian floats.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mixpeek.documents.port import Index
from mixpeek.documents.value_marks import marks_of

if TYPE_CHECKING:
    from mixpeek.documents.port import NewDocument

_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_END = struct.pack("!h", -1)
_length = struct.Struct("!i").pack
_integer = struct.Struct("!ii").pack
_instant = struct.Struct("!iq").pack
_NULL = _length(-1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

Place = tuple[str, int, int]
"""Collection, generation, segment."""


@dataclass(frozen=True)
class Earlier:
    """What a document that is replaced leaves to the new one: when it was first made, and what users set in it."""

    created_at: datetime
    edits: Mapping[str, Any]


def documents(place: Place, rows: Sequence[NewDocument], earlier: Mapping[str, Earlier], now: datetime) -> bytes:
    """Return rows of (collection, generation, segment, document, batch, object, payload, internal, edits, created_at,
    source document, row, position, value marks).

    What a user set in a document stays, but for the fields that the extractor makes itself.
    """
    head = struct.pack("!h", 14) + _placed(place)
    index = Index(place[0], place[1])
    fresh = _jsonb(b"{}") + _time(now)
    parts = [_HEAD]
    append = parts.append
    for row in rows:
        payload, edited = row.payload, fresh
        before = earlier.get(row.document_id) if earlier else None
        if before is not None:
            edits = {name: value for name, value in before.edits.items() if name not in payload}
            payload, edited = {**edits, **payload}, _jsonb(_json(edits)) + _time(before.created_at)
        append(head)
        for text in (row.document_id, row.batch_id, row.object_id):
            append(_field(text.encode()))
        append(_jsonb(_json(payload)))
        append(_jsonb(_json(row.internal)))
        append(edited)
        for maybe in (row.source_document_id, row.row_id):
            append(_NULL if maybe is None else _field(maybe.encode()))
        append(_integer(4, row.position))
        append(_integers(marks_of(index, payload, row.internal)))
    append(_END)
    return b"".join(parts)


def vectors(place: Place | int, rows: Sequence[NewDocument]) -> bytes | None:
    """Return rows of (place, document, feature, embedding); None where there are none.

    Args: place: what stands in front: the place of the shared table, or the segment of a table of its own.
    """
    head = struct.pack("!hii", 4, 4, place) if isinstance(place, int) else struct.pack("!h", 6) + _placed(place)
    parts = [_HEAD]
    for row in rows:
        raw_id = _field(row.document_id.encode())
        for feature, vector in row.vectors.items():
            size = len(vector)
            parts += (
                head,
                raw_id,
                _field(feature.encode()),
                struct.pack("!ihh", 4 + 4 * size, size, 0),
                vector.astype(">f4").tobytes(),
            )
    if len(parts) == 1:
        return None
    return b"".join([*parts, _END])


def _integers(values: Sequence[int]) -> bytes:
    """Return an array of `integer`, whose object id is 23: dimensions, no nulls, type; how many, counted from 1."""
    if not values:
        return _length(12) + struct.pack("!iii", 0, 0, 23)
    items = b"".join(_integer(4, value) for value in values)
    return _length(20 + len(items)) + struct.pack("!iiiii", 1, 0, 23, len(values), 1) + items


def _jsonb(raw: bytes) -> bytes:
    return _length(len(raw) + 1) + b"\x01" + raw  # behind the version of the format


def _time(moment: datetime) -> bytes:
    return _instant(8, (moment - _EPOCH) // timedelta(microseconds=1))


def _json(value: Mapping[str, Any]) -> bytes:
    import orjson  # here, so that processes which store nothing do without

    try:
        return orjson.dumps(value, default=str)
    except TypeError:  # a whole number of more than 64 bits
        return json.dumps(value, default=str, allow_nan=False).encode()


def _placed(place: Place) -> bytes:
    collection_id, generation, segment = place
    return _field(collection_id.encode()) + struct.pack("!iiii", 4, generation, 4, segment)


def _field(raw: bytes) -> bytes:
    return _length(len(raw)) + raw
