"""Rows to Arrow, and what a host sent back to documents, every value checked. Pure; trusts nothing a host says."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixpeek.batches.models import Checked, Outcome, Row
from mixpeek.batches.rows import part_of
from mixpeek.contract.manifest import Feature
from mixpeek.documents.port import NewDocument
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
    made = [name for name in table.column_names if name not in rows[0].columns or name in _names(features)]
    places = _places(table)
    vectors = {f.feature_name: _vectors(table, f) for f in features if f.feature_name in table.column_names}
    values = {n: table.column(n).to_pylist() for n in made if n not in vectors and n != "document_id"}
    checked = Checked([], [])
    for row in rows:
        found = places.get(row.document_id, [])
        if explodes:
            checked.parts[row.document_id] = len(found)
            if not found:
                checked.outcomes.append(Outcome(row, "skipped", "no_parts", "The plugin made no part of this row", {}))
        elif not found:
            checked.outcomes.append(_failed(row, "dropped_row", "The plugin returned no row with this document_id"))
        for position, at in enumerate(found):
            part = part_of(row, position)
            verdict = _judge(part, at, features, vectors, values)
            if isinstance(verdict, Outcome):
                checked.outcomes.append(verdict)
                continue
            checked.documents.append(
                NewDocument(
                    document_id=part.document_id,
                    batch_id=batch_id,
                    object_id=part.object_id,
                    payload={**part.passthrough, **verdict},
                    internal=part.internal,
                    vectors={name: column[at] for name, column in vectors.items()},  # type: ignore[misc]
                    source_document_id=part.source_document_id,
                    row_id=row.document_id if explodes else None,
                    position=position,
                )
            )
    return checked


def _judge(
    row: Row,
    at: int,
    features: Sequence[Feature],
    vectors: dict[str, list[np.ndarray | None]],
    values: dict[str, list[Any]],
) -> dict[str, Any] | Outcome:
    """Return the row's new payload fields, or why it is not stored."""
    for feature in features:
        name = feature.feature_name
        if name not in vectors:
            return _failed(row, "missing_feature", f"The plugin wrote no column {name!r}; it wrote {sorted(values)}")
        vector = vectors[name][at]
        if vector is None:
            return Outcome(row, "skipped", "no_embedding", f"The plugin gave no vector for {name!r}", {})
        if vector.shape != (feature.embedding_dim,):
            wanted = f"the manifest declares embedding_dim {feature.embedding_dim}"
            return _failed(row, "wrong_dimension", f"{name!r} has {vector.shape[0]} numbers; {wanted}")
        if not np.isfinite(vector).all():
            return _failed(row, "not_finite", f"{name!r} holds a value that is not a finite number")
    payload = {name: column[at] for name, column in values.items()}
    fault = fault_of_text(payload) or _fault_of_numbers(payload)
    return _failed(row, "unstorable_value", fault) if fault else payload


def _failed(row: Row, cause: str, message: str) -> Outcome:
    return Outcome(row, "failed", cause, message, {})


def _names(features: Sequence[Feature]) -> set[str]:
    return {feature.feature_name for feature in features}


def _places(table: pa.Table) -> dict[str, list[int]]:
    """Return where in the table each document id stands."""
    found: dict[str, list[int]] = {}
    if "document_id" in table.column_names:
        for at, identifier in enumerate(table.column("document_id").to_pylist()):
            found.setdefault(str(identifier), []).append(at)
    return found


def _vectors(table: pa.Table, feature: Feature) -> list[np.ndarray | None]:
    """Return one float32 vector per row of the table, None where it has none."""
    column = table.column(feature.feature_name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # a table without rows combines to no chunk
        return [None] * len(table)
    if pa.types.is_fixed_size_list(column.type) and pa.types.is_floating(column.type.value_type):
        matrix = pc.list_flatten(column).to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
        matrix = matrix.reshape(-1, column.type.list_size)
        valid = column.is_valid().to_pylist()
        lines = iter(matrix)
        return [next(lines) if ok else None for ok in valid]
    return [_vector(value) for value in column.to_pylist()]


def _vector(value: Any) -> np.ndarray | None:
    if value is None:
        return None
    try:
        return np.asarray(value, dtype=np.float32).reshape(-1)
    except (TypeError, ValueError):
        return np.empty(0, dtype=np.float32)  # not numbers at all: reported as a wrong dimension


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
