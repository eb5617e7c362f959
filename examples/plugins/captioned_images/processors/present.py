"""Rows that lack what a step reads: the step works on the others, and theirs are put back into their places."""

from collections.abc import Sequence
from typing import Any

import pandas as pd


def values_of(batch: pd.DataFrame, name: str) -> pd.Series:
    """Return the texts of a column that are there, with the rows' own index; none if there is no such column."""
    if name not in batch.columns:
        return pd.Series(dtype=object)
    column = batch[name]
    return column[column.map(lambda value: isinstance(value, str) and bool(value.strip()))]


def placed(batch: pd.DataFrame, found: pd.Series, values: Sequence[Any]) -> pd.Series:
    """Return a column of `batch` with one value for each row of `found`, and None in the others."""
    made = dict(zip(found.index, values, strict=True))
    return pd.Series([made.get(row) for row in batch.index], index=batch.index, dtype=object)
