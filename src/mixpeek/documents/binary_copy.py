"""Documents as PostgreSQL's binary COPY reads them, written as whole buffers: value by value this took most of a batch.

Source: PostgreSQL's documentation of COPY, "Binary Format"; pgvector's `vector_recv`: dimension, 0, big-endian floats.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixpeek.documents.port import NewDocument

_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_END = struct.pack("!h", -1)
_length = struct.Struct("!i").pack
_JSONB_VERSION = b"\x01"

Place = tuple[str, int, int]
"""Collection, generation, segment."""


def documents(place: Place, rows: Sequence[NewDocument]) -> bytes:
    """Return rows of (collection, generation, segment, document, batch, object, payload, internal)."""
    head = struct.pack("!h", 8) + _placed(place)
    parts = [_HEAD]
    append = parts.append
    for row in rows:
        append(head)
        for text in (row.document_id, row.batch_id, row.object_id):
            raw = text.encode()
            append(_length(len(raw)))
            append(raw)
        for value in (row.payload, row.internal):
            raw = _json(value)
            append(_length(len(raw) + 1))
            append(_JSONB_VERSION)
            append(raw)
    append(_END)
    return b"".join(parts)


def vectors(place: Place, rows: Sequence[NewDocument]) -> bytes | None:
    """Return rows of (collection, generation, segment, document, feature, embedding); None where there are none."""
    head = struct.pack("!h", 6) + _placed(place)
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


def _json(value: dict[str, Any]) -> bytes:
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
