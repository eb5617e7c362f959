"""Exploding plugins: for one row a processor may return several, its parts, or none; `document_id` says whose it is.

Imported beside `rows`, as it needs pandas too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixpeek.contract.columns import DOCUMENT_ID, SYSTEM_COLUMNS
from mixpeek.host.failures import invalid

if TYPE_CHECKING:
    from mixpeek.host.steps import Step


def grouped(step: Step, result: pd.DataFrame, ids: list[Any]) -> pd.DataFrame:
    """Return what a processor made of the rows `ids`: in their order, the parts of each in the order it gave them."""
    if DOCUMENT_ID not in result.columns:
        if result.empty:
            return pd.DataFrame({DOCUMENT_ID: []})
        raise invalid(
            f"{step.label} returned {len(result)} rows without `document_id`; keep it on every row, it says which of"
            " the rows given each is a part of",
            step.label,
        )
    place = {identifier: number for number, identifier in enumerate(dict.fromkeys(ids))}
    found = [place.get(one) if isinstance(one, str) else None for one in result[DOCUMENT_ID].tolist()]
    places = [number for number in found if number is not None]
    if len(places) < len(found):
        raise invalid(f"{step.label} returned other document_ids than it was given", step.label)
    return result.iloc[np.argsort(places, kind="stable")].reset_index(drop=True)


def replaced(
    step: Step, frame: pd.DataFrame, rows: np.ndarray[Any, Any], parts: pd.DataFrame, given: pd.Index[str]
) -> pd.DataFrame:
    """Return the frame with `rows` replaced by their parts; what a processor did not return, a part has from its row.

    Args:
        given: the columns the pipeline was given, which are the same in all parts of a row.
    """
    ids = frame[DOCUMENT_ID].tolist()
    made = frame.iloc[_origins(step, [ids[n] for n in rows], rows, parts, frame.columns.difference(given))]
    made = made.reset_index(drop=True)
    for name in parts.columns:
        if name not in SYSTEM_COLUMNS:
            made[name] = parts[name]
    others = frame.drop(index=frame.index[rows])
    if others.empty:
        return made
    # As objects: a whole number must not become a fraction because other rows have none.
    whole = pd.concat([others.astype(object), made.astype(object)], ignore_index=True)
    place = {identifier: number for number, identifier in enumerate(dict.fromkeys(ids))}
    order = np.argsort([place[one] for one in whole[DOCUMENT_ID]], kind="stable")
    return whole.iloc[order].reset_index(drop=True)


def _origins(
    step: Step, ids: list[str], rows: np.ndarray[Any, Any], parts: pd.DataFrame, made_before: pd.Index[str]
) -> list[int]:
    """Return the place in the frame of the row that each part comes from."""
    found = parts[DOCUMENT_ID].tolist()
    if found == ids:
        return [int(position) for position in rows]
    first = {one: int(position) for one, position in zip(ids[::-1], rows[::-1], strict=True)}
    lacking = made_before.difference(parts.columns).tolist()
    if lacking and len(first) < len(ids):
        words = f"{step.label} split parts again and left out {', '.join(map(repr, lacking))}, made by an earlier step"
        raise invalid(f"{words}; keep the columns of each part", step.label)
    return [first[one] for one in found]


def parents(frame: pd.DataFrame, given: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Return the number of the given row that each row of the frame is a part of, in ascending order."""
    place = {identifier: number for number, identifier in enumerate(given[DOCUMENT_ID].tolist())}
    return np.array([place[one] for one in frame[DOCUMENT_ID]], dtype=np.int32)
