"""Rows to Arrow, and what a host sent back to documents, every value checked. Pure; trusts nothing a host says."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixpeek.batches.models import Checked, Outcome, Row
from mixpeek.batches.rows import part_of
from mixpeek.contract.columns import DOCUMENT_ID
from mixpeek.contract.manifest import Feature
from mixpeek.documents.port import NewDocument
from mixpeek.host.frames import decode_strict
from mixpeek.text import fault_of_text


def table_from_rows(rows: Sequence[Row]) -> pa.Table:
    """Return the frame of `rows`: one column per name any row has, null where a row lacks it."""
    names = list(dict.fromkeys(name for row in rows for name in row.columns))
    return pa.table({name: _array([row.columns.get(name) for row in rows]) for name in names})


def check_output(
    table: pa.Table, rows: Sequence[Row], features: Sequence[Feature], batch_id: str, *, explodes: bool = False
) -> Checked:
    """Return the documents of the rows that are right, and why each other row is not stored.

    Of an extractor that `explodes` each row of the table is a part: one document each, with a place among its row's.
    """
    wanted = _names(features)
    made = [name for name in table.column_names if name not in rows[0].columns or name in wanted]
    vectors = {f.feature_name: _vectors(table, f) for f in features if f.feature_name in table.column_names}
    columns = {n: _column(table, n) for n in made if n not in vectors and n != DOCUMENT_ID}
    verdicts = _Verdicts(features, vectors, columns)
    names, values = list(columns), [column.values for column in columns.values()]
    checked = Checked([], [])
    located = _parts_in(table, rows, checked) if explodes else _rows_in(table, rows)
    for row, position, at in located:
        fault = verdicts.of(row, at)
        if fault is not None or at is None:
            checked.outcomes.append(fault or _failed(row, *_DROPPED))
            continue
        made_here = {name: column[at] for name, column in zip(names, values, strict=True)}
        checked.documents.append(
            NewDocument(
                document_id=row.document_id,
                batch_id=batch_id,
                object_id=row.object_id,
                payload={**row.passthrough, **made_here},
                internal=row.internal,
                vectors={name: vector.lines[at] for name, vector in vectors.items()},
                source_document_id=row.source_document_id,
                row_id=row.row_id if explodes else None,
                position=position,
            )
        )
    return checked


def _rows_in(table: pa.Table, rows: Sequence[Row]) -> Iterator[tuple[Row, int, int | None]]:
    """Yield each row with where it stands in the table."""
    place = _positions(table)
    for row in rows:
        yield row, 0, place.get(row.document_id)


def _parts_in(table: pa.Table, rows: Sequence[Row], checked: Checked) -> Iterator[tuple[Row, int, int]]:
    """Yield each part of the rows with its place among its row's and in the table; note rows that have none."""
    places: dict[str, list[int]] = {}
    for at, identifier in enumerate(table.column(DOCUMENT_ID).to_pylist()):
        places.setdefault(str(identifier), []).append(at)
    for row in rows:
        found = places.get(row.document_id, [])
        checked.parts[row.document_id] = len(found)
        if not found:
            checked.outcomes.append(Outcome(row, "skipped", "no_parts", "The plugin made no part of this row", {}))
        for position, at in enumerate(found):
            yield part_of(row, position), position, at


# What is wrong with a row that did not come back.
_DROPPED = ("dropped_row", "The plugin returned no row with this document_id")
# What one document may hold beside its vectors; PostgreSQL would take 255 MB, and nobody could read a page of those.
MOST_DOCUMENT_BYTES = 8 * 1024**2


@dataclass(frozen=True)
class _Vectors:
    """An embedding column: one line of float32 per row, the rows without a vector, and what is wrong with others."""

    lines: Any
    missing: frozenset[int]
    faults: dict[int, tuple[str, str]]


@dataclass(frozen=True)
class _Column:
    """A column of values as Python's own, with what makes some of them unstorable."""

    values: list[Any]
    faults: dict[int, str]


class _Verdicts:
    """What is known against each row of a table, found column by column."""

    def __init__(self, features: Sequence[Feature], vectors: dict[str, _Vectors], columns: dict[str, _Column]) -> None:
        self._absent = next((f.feature_name for f in features if f.feature_name not in vectors), None)
        self._wrote = sorted(columns)
        self._against: dict[int, tuple[str, str, str]] = {}
        for name, column in reversed(columns.items()):
            for at, fault in column.faults.items():
                self._against[at] = ("failed", "unstorable_value", f"{name}{fault}")
        for name, vector in vectors.items():
            for at, (cause, message) in vector.faults.items():
                self._against[at] = ("failed", cause, message)
            for at in vector.missing:
                self._against[at] = ("skipped", "no_embedding", f"The plugin gave no vector for {name!r}")

    def of(self, row: Row, at: int | None) -> Outcome | None:
        """Return why a row is not stored, None if it is right."""
        if at is None:
            return _failed(row, *_DROPPED)
        if self._absent is not None:
            message = f"The plugin wrote no column {self._absent!r}; it wrote {self._wrote}"
            return _failed(row, "missing_feature", message)
        found = self._against.get(at) if self._against else None
        return None if found is None else Outcome(row, found[0], found[1], found[2], {})


def _failed(row: Row, cause: str, message: str) -> Outcome:
    return Outcome(row, "failed", cause, message, {})


def _names(features: Sequence[Feature]) -> set[str]:
    return {feature.feature_name for feature in features}


def _positions(table: pa.Table) -> dict[str, int]:
    if DOCUMENT_ID not in table.column_names:
        return {}
    return {str(identifier): at for at, identifier in enumerate(table.column(DOCUMENT_ID).to_pylist())}


def _vectors(table: pa.Table, feature: Feature) -> _Vectors:
    """Return an embedding column checked: as one block where the host sent one, else vector by vector."""
    column: Any = _combined(table.column(feature.feature_name))
    size = feature.embedding_dim or 0
    if pa.types.is_fixed_size_list(column.type) and pa.types.is_floating(column.type.value_type):
        width = column.type.list_size
        # Not flattened: lines of rows without a vector stay in the block, so that the others keep their places.
        block = column.values.slice(column.offset * width, len(column) * width)
        matrix = block.to_numpy(zero_copy_only=False).astype(np.float32, copy=False).reshape(-1, width)
        missing = frozenset(np.flatnonzero(~column.is_valid().to_numpy(zero_copy_only=False)).tolist())
        lines: Any = matrix
    else:
        lines = [_vector(value) for value in _pythonic(table, feature.feature_name)]
        missing = frozenset(at for at, line in enumerate(lines) if line is None)
        if not missing and {len(line) for line in lines} == {size}:
            lines = np.stack(lines)
    if isinstance(lines, np.ndarray):
        if lines.shape[1] != size:
            bad = {at: _wrong_dimension(feature, lines.shape[1]) for at in range(len(lines))}
        else:
            bad = {at: _not_finite(feature) for at in np.flatnonzero(~np.isfinite(lines).all(axis=1)).tolist()}
    else:
        bad = {at: fault for at, line in enumerate(lines) if (fault := _fault_of_vector(line, feature)) is not None}
    return _Vectors(lines, missing, {at: fault for at, fault in bad.items() if at not in missing})


def _fault_of_vector(vector: np.ndarray | None, feature: Feature) -> tuple[str, str] | None:
    if vector is None:
        return None
    if vector.shape != (feature.embedding_dim,):
        return _wrong_dimension(feature, vector.shape[0])
    return None if np.isfinite(vector).all() else _not_finite(feature)


def _wrong_dimension(feature: Feature, size: int) -> tuple[str, str]:
    wanted = f"the manifest declares embedding_dim {feature.embedding_dim}"
    return "wrong_dimension", f"{feature.feature_name!r} has {size} numbers; {wanted}"


def _not_finite(feature: Feature) -> tuple[str, str]:
    return "not_finite", f"{feature.feature_name!r} holds a value that is not a finite number"


def _vector(value: Any) -> np.ndarray | None:
    if value is None:
        return None
    try:
        return np.asarray(value, dtype=np.float32).reshape(-1)
    except (TypeError, ValueError):
        return np.empty(0, dtype=np.float32)  # not numbers at all: reported as a wrong dimension


def _column(table: pa.Table, name: str) -> _Column:
    """Return a column's values, and which of them cannot be stored, looked for as cheaply as its type allows."""
    column: Any = table.column(name)
    values, kind = _pythonic(table, name), column.type
    suspects: Any
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return _Column(values, {})
    if pa.types.is_floating(kind):
        suspects = pc.invert(pc.is_finite(column))
    elif (pa.types.is_string(kind) or pa.types.is_large_string(kind)) and not _is_json(table, name):
        # Arrow holds no half of a surrogate pair; what is left are the NUL character and the size.
        is_large = pc.greater(pc.binary_length(column), pa.scalar(MOST_DOCUMENT_BYTES))
        suspects = pc.or_(pc.match_substring(column, "\x00"), is_large)
    else:
        return _Column(values, {at: fault for at, value in enumerate(values) if (fault := _fault_of(value))})
    places = np.flatnonzero(pc.fill_null(suspects, False).to_numpy())
    return _Column(values, {at: _fault_of(values[at]) or "" for at in places.tolist()})


def _fault_of(value: Any) -> str | None:
    """Return what makes a value unstorable, worded to stand behind its column's name."""
    size = _size_of(value)
    if size > MOST_DOCUMENT_BYTES:
        return f" holds {size:,} bytes; a document takes {MOST_DOCUMENT_BYTES:,}"
    fault = fault_of_text(value, "value") or _fault_of_numbers(value, "value")
    return None if fault is None else fault.removeprefix("value")


def _size_of(value: Any) -> int:
    """Return about how many bytes a value has as JSON."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(str(key)) + _size_of(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(_size_of, value))
    return 8


def _pythonic(table: pa.Table, name: str) -> list[Any]:
    values: list[Any] = table.column(name).to_pylist()
    if not _is_json(table, name):
        return values
    return [None if value is None else _from_json(value) for value in values]


def _is_json(table: pa.Table, name: str) -> bool:
    return (table.schema.field(name).metadata or {}).get(b"mixpeek") == b"json"


def _from_json(text: str) -> Any:
    try:
        return decode_strict(text.encode())
    except (ValueError, RecursionError):
        return text  # a host that calls something JSON which is none: text, then


def _combined(column: Any) -> Any:
    combined = column.combine_chunks()
    # A table without rows combines to no chunk.
    return pa.array([], column.type) if isinstance(combined, pa.ChunkedArray) else combined


def _fault_of_numbers(value: Any, path: str = "") -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return f"{path or 'a value'} is {value}, which JSON cannot hold"
    if isinstance(value, bytes):
        return f"{path or 'a value'} is bytes; store text, numbers, lists or objects"
    if isinstance(value, dict):
        return next((f for k, v in value.items() if (f := _fault_of_numbers(v, f"{path}.{k}".strip(".")))), None)
    if isinstance(value, list):
        return next((f for i, v in enumerate(value) if (f := _fault_of_numbers(v, f"{path}[{i}]"))), None)
    return None


def _array(values: list[Any]) -> Any:
    """Return one Arrow column; values of several kinds become JSON text, since a column has one type."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([v if v is None or isinstance(v, str) else json.dumps(v) for v in values], pa.string())
