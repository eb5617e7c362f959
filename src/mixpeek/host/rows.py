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

from mixpeek.contract.columns import DATA, DOCUMENT_ID, MIME_TYPE, PART_OF, SYSTEM_COLUMNS
from mixpeek.contract.pipeline import RowCondition
from mixpeek.host import parts
from mixpeek.host.arrow import Sendable, sendable, to_arrow
from mixpeek.host.failures import TIMED_OUT, UNTRIED, Failure, failure_from, invalid, own_frames
from mixpeek.host.isolation import Isolated, isolate, slices
from mixpeek.host.patience import CallInterrupted, Patience
from mixpeek.host.records import place

if TYPE_CHECKING:
    from mixpeek.host.loader import PluginPackage
    from mixpeek.host.steps import Step

# What is told of each row that failed: thousands may fail with the same words.
_MOST_TOLD = 1000
_MOST_FRAMES_TOLD = 8


@dataclass(frozen=True)
class Ran:
    """Rows that went through every step, and the others, by their place in the given frame, with what stopped them.

    `places` holds for each row of `frame` its place in the given one: ascending, and of a row that became several,
    the same for each.
    """

    frame: pd.DataFrame
    places: np.ndarray[Any, Any]
    faults: dict[int, Failure]

    def without(self, faults: Mapping[int, Failure]) -> Ran:
        """Return the same without the given rows of these places; what is left of a row that failed goes with it."""
        if not faults:
            return self
        good = np.flatnonzero(~np.isin(self.places, list(faults)))
        return Ran(self.frame.iloc[good].reset_index(drop=True), self.places[good], {**faults, **self.faults})


def run_table(
    package: PluginPackage,
    steps: Sequence[Step],
    body: bytes,
    vectors: frozenset[str],
    batch_rows: int | None,
    patience: Patience | None = None,
    *,
    explodes: bool = False,
) -> tuple[dict[str, Any], bytes]:
    """Run the steps over an Arrow stream and return one of every new column, and of `data` if it was changed.

    The caller keeps the system columns; it would not take them back from here.

    Args:
        vectors: names of the embedding columns; rectangular ones leave as FixedSizeList of float32.
        batch_rows: most rows a processor is called with; None hands it all of them.
        patience: how long its calls may take. With it a row that fails is named in the result, the first value
            returned, and left out of the table; without it the first failure is raised.
        explodes: a row may have become several or none; the column `PART_OF` then says whose each returned row is.
    """
    table = pa.ipc.open_stream(body).read_all()
    given = table.to_pandas()
    ran = run_frame(package, steps, given, batch_rows, patience, explodes=explodes)
    names = [name for name in ran.frame.columns if name not in given.columns]
    if explodes and PART_OF in names:
        raise invalid(f"the column {PART_OF!r} is the platform's; give yours another name")
    if DATA in given.columns:
        before = given[DATA].iloc[ran.places].reset_index(drop=True) if ran.faults or explodes else given[DATA]
        if not ran.frame[DATA].equals(before):
            names.insert(0, DATA)
    if patience is None:
        sent = _sent_whole(ran.frame, names, vectors)
    else:
        sent = sendable(ran.frame[names], vectors)
        refused = {int(ran.places[place]): failure for place, failure in sent.faults.items()}
        ran = ran.without(refused)
        if explodes and refused:
            sent = sendable(ran.frame[names], vectors)
    fields, columns = sent.fields, sent.columns
    if explodes:
        columns = [*columns, pa.array(ran.places.astype(np.int32))]
        fields = [*fields, pa.field(PART_OF, pa.int32())]
    sink = pa.BufferOutputStream()
    result = pa.Table.from_arrays(columns, schema=pa.schema(fields)).combine_chunks()
    with pa.ipc.new_stream(sink, result.schema) as writer:
        writer.write_table(result)
    told = [{"row": row, "error": _told(ran.faults[row])} for row in sorted(ran.faults)]
    return ({} if patience is None else {"faults": told}), bytes(sink.getvalue())


def _sent_whole(frame: pd.DataFrame, names: Sequence[str], vectors: frozenset[str]) -> Sendable:
    columns = [to_arrow(name, frame[name], is_vector=name in vectors) for name in names]
    return Sendable([pa.field(name, column.type) for name, column in zip(names, columns, strict=True)], columns, {})


def run_rows(
    package: PluginPackage, steps: Sequence[Step], rows: list[dict[str, Any]], *, explodes: bool = False
) -> list[dict[str, Any]]:
    """Run the steps over rows of the same keys and return the new columns of each, of its first part if it explodes."""
    given = pd.DataFrame(rows)
    frame = run_frame(package, steps, given, None, explodes=explodes).frame
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
    patience: Patience | None = None,
    *,
    explodes: bool = False,
) -> Ran:
    """Run the steps in order; each sees the rows its condition lets through and what earlier steps wrote.

    With `patience`, a row that fails in one step is seen by no later one. If the plugin `explodes`, the frame has one
    row per part afterwards, those of one given row next to each other; a row one of whose parts fails, fails whole.
    """
    ran = Ran(given.copy(), np.arange(len(given)), {})
    for step in steps:
        rows = _rows_for(step.condition, ran.frame)
        if rows.size == 0:
            continue
        splits = explodes and not step.takes_all
        size = None if step.takes_all else batch_rows
        place.enter_step(step.label)
        done = _call_in_slices(package, step, ran.frame, rows, size, patience, explodes=splits)
        failed = {int(ran.places[row]): failure for row, failure in reversed(done.faults)}
        if failed:
            rows = _places_without(ran, rows, failed)
        ran = ran.without(failed)
        if rows.size == 0:
            continue
        made = [result for _, result in done.parts]
        result = made[0] if len(made) == 1 else pd.concat(made, ignore_index=True)
        if not splits:
            _write(ran.frame, result, rows)
            continue
        if failed:  # parts of the same row, called in other slices, that went through
            gone = given[DOCUMENT_ID].iloc[list(failed)]
            result = result[~result[DOCUMENT_ID].isin(gone)].reset_index(drop=True)
        frame = parts.replaced(step, ran.frame, rows, result, given.columns)
        ran = Ran(frame, parts.parents(frame, given), ran.faults)
    return ran


def _places_without(ran: Ran, rows: np.ndarray[Any, Any], failed: Mapping[int, Failure]) -> np.ndarray[Any, Any]:
    """Return where `rows` will be once the rows of the places that failed are gone."""
    good = np.flatnonzero(~np.isin(ran.places, list(failed)))
    return np.searchsorted(good, np.intersect1d(rows, good))


def _call_in_slices(
    package: PluginPackage,
    step: Step,
    frame: pd.DataFrame,
    rows: np.ndarray[Any, Any],
    batch_rows: int | None,
    patience: Patience | None,
    *,
    explodes: bool,
) -> Isolated[Any, pd.DataFrame, Failure]:
    size = batch_rows or rows.size
    as_sequence: Any = rows  # it is sliced like one
    if patience is None:
        cuts = slices(as_sequence, size)
        return Isolated([(cut, _call(package, step, frame, np.asarray(cut), explodes=explodes)) for cut in cuts], [])
    waits = patience

    def call(piece: Any) -> pd.DataFrame:
        if waits.is_over:
            raise Failure(UNTRIED, "Too many calls before it hung", step=step.label)
        seconds = 0.0
        try:
            with waits.limit(step.pace, len(piece)) as seconds:
                return _call(package, step, frame, piece, explodes=explodes)
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


def _call(
    package: PluginPackage, step: Step, frame: pd.DataFrame, rows: np.ndarray[Any, Any], *, explodes: bool
) -> pd.DataFrame:
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
        hint = "return one row for each" + ("" if step.takes_all else ", or declare `explodes = True` in manifest.py")
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
