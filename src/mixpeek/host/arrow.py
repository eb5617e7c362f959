"""A processor's columns as Arrow: embeddings as one block of numbers, and rows that cannot be sent told apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mixpeek.host.describe import jsonable
from mixpeek.host.failures import Failure, invalid

# A column of this metadata holds each value as JSON: Arrow has no one type for all of them.
JSON = {b"mixpeek": b"json"}


def to_arrow(name: str, values: pd.Series, *, is_vector: bool) -> Any:
    """Return a column as Arrow; raise Failure naming one that holds what Arrow cannot."""
    stacked = _stacked(values) if is_vector else None
    if stacked is not None:
        return stacked
    try:
        column = pa.array(values, from_pandas=True)
        if pa.types.is_list(column.type) and pa.types.is_null(column.type.value_type):
            return column.cast(pa.list_(pa.string()))  # only empty lists: any element type says the same
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise invalid(f"column {name!r} cannot be sent on: {error}") from error
    return column


@dataclass(frozen=True)
class Sendable:
    """Columns as Arrow, without the rows that cannot be sent: those by their place, with what is wrong with them."""

    fields: list[Any]
    columns: list[Any]
    faults: dict[int, Failure]


def sendable(frame: pd.DataFrame, vectors: frozenset[str]) -> Sendable:
    """Return a frame's columns as Arrow; one whose values have no type in common is sent as JSON."""
    made, faults = _arrays(frame, vectors)
    if faults:
        good = frame.iloc[np.setdiff1d(np.arange(len(frame)), list(faults))].reset_index(drop=True)
        made, _ = _arrays(good, vectors)
    return Sendable([field for field, _ in made], [column for _, column in made], faults)


def _arrays(frame: pd.DataFrame, vectors: frozenset[str]) -> tuple[list[tuple[Any, Any]], dict[int, Failure]]:
    made: list[tuple[Any, Any]] = []
    faults: dict[int, Failure] = {}
    for name in frame.columns:
        values = frame[name]
        try:
            column = to_arrow(name, values, is_vector=name in vectors)
            made.append((pa.field(name, column.type), column))
        except Failure:
            column, bad = _as_json(name, values)
            made.append((pa.field(name, pa.string(), metadata=JSON), column))
            faults |= bad
    return made, faults


def _as_json(name: str, values: pd.Series) -> tuple[Any, dict[int, Failure]]:
    texts: list[str | None] = []
    faults: dict[int, Failure] = {}
    for place, value in enumerate(values.tolist()):
        try:
            text = json.dumps(jsonable(_plain(value), name), ensure_ascii=False, allow_nan=False)
            text.encode()
        except (Failure, TypeError, ValueError, RecursionError) as error:  # ValueError: NaN, half of a surrogate pair
            faults[place] = invalid(f"column {name!r} holds what cannot be stored: {str(error)[:300]}")
            text = ""
        texts.append(text)
    return pa.array(texts, pa.string()), faults


def _plain(value: Any) -> Any:
    convert = getattr(value, "tolist", None)
    return convert() if callable(convert) else value


def _stacked(values: pd.Series) -> Any | None:
    """Return vectors of one length as FixedSizeList of float32, None where the value is missing; else None."""
    cells = values.tolist()
    missing = np.array([cell is None or (isinstance(cell, float) and isnan(cell)) for cell in cells], dtype=bool)
    present = [cell for cell, is_missing in zip(cells, missing, strict=True) if not is_missing]
    try:
        matrix = np.asarray(present, dtype=np.float32)
    except (TypeError, ValueError):
        return None  # ragged or not numbers: sent as it is, and refused by whoever checks features
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        return None
    full = matrix
    if missing.any():
        full = np.zeros((len(cells), matrix.shape[1]), dtype=np.float32)
        full[~missing] = matrix
    mask = pa.array(missing) if missing.any() else None
    return pa.FixedSizeListArray.from_arrays(pa.array(full.reshape(-1)), matrix.shape[1], mask=mask)
