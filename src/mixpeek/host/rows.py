"""Runs steps over a frame: row conditions, re-alignment, and the way from Arrow to pandas and back.

The only module of the host that needs pandas and pyarrow, so it is imported when the first table arrives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mixpeek.contract.columns import DATA, DOCUMENT_ID, MIME_TYPE, SYSTEM_COLUMNS
from mixpeek.contract.pipeline import RowCondition
from mixpeek.host.arrow import sendable, to_arrow
from mixpeek.host.failures import TIMED_OUT, UNTRIED, Failure, failure_from, invalid, own_frames
from mixpeek.host.isolation import Isolated, isolate, slices
from mixpeek.host.patience import CallInterrupted, Patience

if TYPE_CHECKING:
    from mixpeek.host.loader import PluginPackage
    from mixpeek.host.steps import Step

# What is told of each row that failed: thousands may fail with the same words.
_MOST_TOLD = 1000
_MOST_FRAMES_TOLD = 8


@dataclass(frozen=True)
class Ran:
    """Rows that went through every step, and the others, by their place in the given frame, with what stopped them."""

    frame: pd.DataFrame
    faults: dict[int, Failure]


def run_table(
    package: PluginPackage,
    steps: Sequence[Step],
    body: bytes,
    vectors: frozenset[str],
    batch_rows: int | None,
    patience: Patience | None = None,
) -> tuple[dict[str, Any], bytes]:
    """Run the steps over an Arrow stream and return one of every new column, and of `data` if it was changed.

    The caller keeps the system columns; it would not take them back from here.

    Args:
        vectors: names of the embedding columns; rectangular ones leave as FixedSizeList of float32.
        batch_rows: most rows a processor is called with; None hands it all of them.
        patience: how long its calls may take. With it a row that fails is named in the result, the first value
            returned, and left out of the table; without it the first failure is raised.
    """
    table = pa.ipc.open_stream(body).read_all()
    given = table.to_pandas()
    ran = run_frame(package, steps, given, batch_rows, patience)
    frame, faults = ran.frame, dict(ran.faults)
    kept = _kept(len(given), faults)
    names = [name for name in frame.columns if name not in given.columns]
    if DATA in given.columns:
        before = given[DATA].iloc[kept].reset_index(drop=True) if faults else given[DATA]
        if not frame[DATA].equals(before):
            names.insert(0, DATA)
    if patience is None:
        columns = [to_arrow(name, frame[name], is_vector=name in vectors) for name in names]
        fields = [pa.field(name, column.type) for name, column in zip(names, columns, strict=True)]
    else:
        sent = sendable(frame[names], vectors)
        fields, columns = sent.fields, sent.columns
        faults |= {int(kept[place]): failure for place, failure in sent.faults.items()}
    sink = pa.BufferOutputStream()
    result = pa.Table.from_arrays(columns, schema=pa.schema(fields)).combine_chunks()
    with pa.ipc.new_stream(sink, result.schema) as writer:
        writer.write_table(result)
    told = [{"row": row, "error": _told(faults[row])} for row in sorted(faults)]
    return ({} if patience is None else {"faults": told}), bytes(sink.getvalue())


def run_rows(package: PluginPackage, steps: Sequence[Step], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run the steps over rows of the same keys and return the new columns of each."""
    given = pd.DataFrame(rows)
    frame = run_frame(package, steps, given, None).frame
    new = {name: frame[name] for name in frame.columns if name not in given.columns}
    return [{name: values.iloc[number] for name, values in new.items()} for number in range(len(rows))]


def run_frame(
    package: PluginPackage,
    steps: Sequence[Step],
    given: pd.DataFrame,
    batch_rows: int | None,
    patience: Patience | None = None,
) -> Ran:
    """Run the steps in order; each sees the rows its condition lets through and what earlier steps wrote.

    With `patience`, a row that fails in one step is seen by no later one.
    """
    frame = given.copy()
    places = np.arange(len(given))
    faults: dict[int, Failure] = {}
    for step in steps:
        rows = _rows_for(step.condition, frame)
        if rows.size == 0:
            continue
        done = _call_in_slices(package, step, frame, rows, batch_rows, patience)
        if done.faults:
            failed = [int(row) for row, _ in done.faults]
            faults |= {int(places[row]): failure for row, failure in done.faults}
            good = np.setdiff1d(np.arange(len(frame)), failed)
            frame, places = frame.iloc[good].reset_index(drop=True), places[good]
            rows = np.searchsorted(good, np.setdiff1d(rows, failed))
        if done.parts:
            results = [result for _, result in done.parts]
            _write(frame, results[0] if len(results) == 1 else pd.concat(results, ignore_index=True), rows)
    return Ran(frame, faults)


def _call_in_slices(
    package: PluginPackage,
    step: Step,
    frame: pd.DataFrame,
    rows: np.ndarray[Any, Any],
    batch_rows: int | None,
    patience: Patience | None,
) -> Isolated[Any, pd.DataFrame, Failure]:
    size = batch_rows or rows.size
    as_sequence: Any = rows  # it is sliced like one
    if patience is None:
        return Isolated(
            [(piece, _call(package, step, frame, np.asarray(piece))) for piece in slices(as_sequence, size)], []
        )
    waits = patience

    def call(piece: Any) -> pd.DataFrame:
        if waits.is_over:
            raise Failure(UNTRIED, "Too many calls before it hung", step=step.label)
        seconds = 0.0
        try:
            with waits.limit(step.pace, len(piece)) as seconds:
                return _call(package, step, frame, piece)
        except CallInterrupted as error:
            step.renew()
            raise Failure(
                TIMED_OUT,
                f"{step.label} did not return within {seconds:g} s, so it was interrupted",
                frames=own_frames(error.__traceback__, package.root),
                step=step.label,
                waited_s=seconds,
            ) from error
        except Failure:
            raise
        except BaseException as error:  # SystemExit too: whatever a row makes plugin code raise is that row's end
            raise failure_from(error, package.root, step=step.label) from error

    return isolate(as_sequence, call, Failure, size=size)


def _kept(count: int, faults: Mapping[int, Failure]) -> np.ndarray[Any, Any]:
    return np.setdiff1d(np.arange(count), list(faults)) if faults else np.arange(count)


def _told(failure: Failure) -> dict[str, Any]:
    told = failure.wire()
    return {**told, "message": told["message"][:_MOST_TOLD], "frames": told["frames"][-_MOST_FRAMES_TOLD:]}


def _rows_for(condition: RowCondition, frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    count = len(frame)
    if condition is RowCondition.ALWAYS:
        return np.arange(count)
    if MIME_TYPE not in frame.columns:
        return np.arange(count) if condition.matches(None) else np.arange(0)
    kinds = [kind if isinstance(kind, str) else None for kind in frame[MIME_TYPE]]
    verdict = {kind: condition.matches(kind) for kind in set(kinds)}
    return np.flatnonzero([verdict[kind] for kind in kinds])


def _call(package: PluginPackage, step: Step, frame: pd.DataFrame, rows: np.ndarray[Any, Any]) -> pd.DataFrame:
    # Neighbouring rows are cut out; picking them one by one takes several times as long.
    is_run = rows[-1] - rows[0] + 1 == rows.size
    batch = (frame.iloc[rows[0] : rows[-1] + 1] if is_run else frame.iloc[rows]).reset_index(drop=True)
    known = list(batch.columns)
    ids = batch[DOCUMENT_ID].tolist() if DOCUMENT_ID in batch.columns else None
    try:
        result = package.settle(step.processor()(batch))
    except Exception as error:
        more = f"; the columns are {', '.join(map(str, known))}" if isinstance(error, KeyError) else ""
        raise failure_from(error, package.root, step=step.label, more=more) from error
    return _aligned(step, result, ids, rows.size)


def _aligned(step: Step, result: Any, ids: list[Any] | None, count: int) -> pd.DataFrame:
    """Return a processor's result in the order of the rows it was given."""
    if not isinstance(result, pd.DataFrame):
        kind = "None" if result is None else f"a {type(result).__name__}"
        raise invalid(f"{step.label} returned {kind}; return the DataFrame", step.label)
    if len(result) != count:
        raise invalid(f"{step.label} returned {len(result)} rows for {count}; return one row for each", step.label)
    names = list(result.columns)
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise invalid(f"{step.label} returned column names that are not distinct strings: {names}", step.label)
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
