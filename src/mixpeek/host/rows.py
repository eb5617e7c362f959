"""Runs steps over a frame: row conditions, re-alignment, and the way from Arrow to pandas and back.

The only module of the host that needs pandas and pyarrow, so it is imported when the first table arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mixpeek.contract.columns import DATA, DOCUMENT_ID, MIME_TYPE, PART_OF, SYSTEM_COLUMNS
from mixpeek.contract.pipeline import RowCondition
from mixpeek.host import parts
from mixpeek.host.failures import failure_from, invalid

if TYPE_CHECKING:
    from mixpeek.host.loader import PluginPackage
    from mixpeek.host.steps import Step


def run_table(
    package: PluginPackage,
    steps: Sequence[Step],
    body: bytes,
    vectors: frozenset[str],
    batch_rows: int | None,
    *,
    explodes: bool = False,
) -> bytes:
    """Run the steps over an Arrow stream and return one of every new column, and of `data` if it was changed.

    The caller keeps the system columns; it would not take them back from here.

    Args:
        vectors: names of the embedding columns; rectangular ones leave as FixedSizeList of float32.
        batch_rows: most rows a processor is called with; None hands it all of them.
        explodes: a row may have become several or none; the column `PART_OF` then says whose each returned row is.
    """
    table = pa.ipc.open_stream(body).read_all()
    given = table.to_pandas()
    frame = run_frame(package, steps, given, batch_rows, explodes=explodes)
    names = [name for name in frame.columns if name not in given.columns]
    origin = parts.parents(frame, given) if explodes else np.arange(len(given), dtype=np.int32)
    if DATA in given.columns and not frame[DATA].equals(given[DATA].iloc[origin].reset_index(drop=True)):
        names.insert(0, DATA)
    columns = [to_arrow(name, frame[name], is_vector=name in vectors) for name in names]
    if explodes:
        if PART_OF in names:
            raise invalid(f"the column {PART_OF!r} is the platform's; give yours another name")
        names, columns = [*names, PART_OF], [*columns, pa.array(origin)]
    sink = pa.BufferOutputStream()
    result = pa.Table.from_arrays(columns, names=names).combine_chunks()
    with pa.ipc.new_stream(sink, result.schema) as writer:
        writer.write_table(result)
    return bytes(sink.getvalue())


def run_rows(
    package: PluginPackage, steps: Sequence[Step], rows: list[dict[str, Any]], *, explodes: bool = False
) -> list[dict[str, Any]]:
    """Run the steps over rows of the same keys and return the new columns of each, of its first part if it explodes."""
    given = pd.DataFrame(rows)
    frame = run_frame(package, steps, given, None, explodes=explodes)
    if explodes:
        frame = frame.drop_duplicates(DOCUMENT_ID, ignore_index=True)
        if len(frame) < len(given):
            raise invalid("the pipeline made no part of the inputs, so there is nothing to answer with")
    new = {name: frame[name] for name in frame.columns if name not in given.columns}
    return [{name: values.iloc[number] for name, values in new.items()} for number in range(len(rows))]


def run_frame(
    package: PluginPackage,
    steps: Sequence[Step],
    given: pd.DataFrame,
    batch_rows: int | None,
    *,
    explodes: bool = False,
) -> pd.DataFrame:
    """Run the steps in order; each sees the rows its condition lets through and what earlier steps wrote.

    If the plugin `explodes`, the frame has one row per part afterwards, those of one given row next to each other.
    """
    frame = given.copy()
    for step in steps:
        rows = _rows_for(step.condition, frame)
        if rows.size == 0:
            continue
        size = batch_rows or rows.size
        cuts = range(0, rows.size, size)
        made = [_call(package, step, frame, rows[start : start + size], explodes=explodes) for start in cuts]
        result = made[0] if len(made) == 1 else pd.concat(made, ignore_index=True)
        if explodes:
            frame = parts.replaced(step, frame, rows, result, given.columns)
        else:
            _write(frame, result, rows)
    return frame


def _rows_for(condition: RowCondition, frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    count = len(frame)
    if condition is RowCondition.ALWAYS:
        return np.arange(count)
    if MIME_TYPE not in frame.columns:
        return np.arange(count) if condition.matches(None) else np.arange(0)
    kinds = [kind if isinstance(kind, str) else None for kind in frame[MIME_TYPE]]
    verdict = {kind: condition.matches(kind) for kind in set(kinds)}
    return np.flatnonzero([verdict[kind] for kind in kinds])


def _call(
    package: PluginPackage, step: Step, frame: pd.DataFrame, rows: np.ndarray[Any, Any], *, explodes: bool
) -> pd.DataFrame:
    batch = frame.iloc[rows].reset_index(drop=True)
    known = list(batch.columns)
    ids = batch[DOCUMENT_ID].tolist() if DOCUMENT_ID in batch.columns else None
    try:
        result = package.settle(step.processor()(batch))
    except Exception as error:
        more = f"; the columns are {', '.join(map(str, known))}" if isinstance(error, KeyError) else ""
        raise failure_from(error, package.root, step=step.label, more=more) from error
    if not isinstance(result, pd.DataFrame):
        kind = "None" if result is None else f"a {type(result).__name__}"
        raise invalid(f"{step.label} returned {kind}; return the DataFrame", step.label)
    names = list(result.columns)
    # The columns of a frame without rows name nothing; pandas numbers them.
    if len(result) and not (all(isinstance(name, str) for name in names) and len(set(names)) == len(names)):
        raise invalid(f"{step.label} returned column names that are not distinct strings: {names}", step.label)
    return parts.grouped(step, result, ids or []) if explodes else _aligned(step, result, ids, rows.size)


def _aligned(step: Step, result: pd.DataFrame, ids: list[Any] | None, count: int) -> pd.DataFrame:
    """Return a processor's result in the order of the rows it was given."""
    if len(result) != count:
        hint = "return one row for each, or declare `explodes = True` in manifest.py"
        raise invalid(f"{step.label} returned {len(result)} rows for {count}; {hint}", step.label)
    order = _order(step, result, ids)
    return (result if order is None else result.iloc[order]).reset_index(drop=True)


def _order(step: Step, result: pd.DataFrame, ids: list[Any] | None) -> list[int] | None:
    """Return the positions that put a result's rows back in order, None if they are."""
    if ids is None or DOCUMENT_ID not in result.columns:
        ids, found = list(range(len(result))), result.index.tolist()
        if found == ids or set(found) != set(ids):
            return None  # an index of the author's own says nothing about order
    else:
        found = result[DOCUMENT_ID].tolist()
        if found == ids:
            return None
    at = {identifier: position for position, identifier in enumerate(found)}
    if len(at) < len(ids) or set(at) != set(ids):
        raise invalid(f"{step.label} returned other document_ids than it was given", step.label)
    return [at[identifier] for identifier in ids]


def _write(frame: pd.DataFrame, result: pd.DataFrame, rows: np.ndarray[Any, Any]) -> None:
    for name in result.columns:
        if name in SYSTEM_COLUMNS:
            continue
        if rows.size == len(frame):
            frame[name] = result[name].set_axis(frame.index)
            continue
        column = np.full(len(frame), None, dtype=object)
        if name in frame.columns:
            column[:] = frame[name].to_numpy(dtype=object)
        values = result[name].tolist()
        for position, value in zip(rows.tolist(), values, strict=True):
            column[position] = value
        frame[name] = pd.Series(list(column), index=frame.index, dtype=object)


def to_arrow(name: str, values: pd.Series, *, is_vector: bool) -> Any:
    """Return a column as Arrow; raise Failure naming one that holds what Arrow cannot."""
    stacked = _stacked(values) if is_vector else None
    if stacked is not None:
        return stacked
    try:
        column = pa.array(values, from_pandas=True)
        if pa.types.is_list(column.type) and pa.types.is_null(column.type.value_type):
            return column.cast(pa.list_(pa.string()))  # only empty lists: any element type says the same
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise invalid(f"column {name!r} cannot be sent on: {error}") from error
    return column


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
