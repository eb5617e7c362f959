"""Calls a function on slices of rows; where that fails, on ever fewer of them, until the rows at fault stand alone.

A slice that fails is cut into about √n pieces, not in two: one bad row costs its slice again and a few rows more, and
one that hangs is waited for as often as there are levels (2 for 64 rows), not log2 n times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Generic, TypeVar

Row = TypeVar("Row")
Result = TypeVar("Result")
Fault = TypeVar("Fault", bound=BaseException)

# So few rows are tried one by one.
SINGLY = 16


@dataclass(frozen=True)
class Isolated(Generic[Row, Result, Fault]):
    """What became of the rows: results by the rows they are of, in order, and each other row with its fault."""

    parts: list[tuple[Sequence[Row], Result]]
    faults: list[tuple[Row, Fault]]


def isolate(
    rows: Sequence[Row],
    call: Callable[[Sequence[Row]], Result],
    fault: type[Fault],
    *,
    size: int | None = None,
    singly: int = SINGLY,
) -> Isolated[Row, Result, Fault]:
    """Call `call` on slices of at most `size` rows, and on fewer where it raises a `fault`; others pass through."""
    parts: list[tuple[Sequence[Row], Result]] = []
    faults: list[tuple[Row, Fault]] = []
    # What is still to be tried, the next one last.
    waiting = list(slices(rows, size or max(1, len(rows))))[::-1]
    while waiting:
        piece = waiting.pop()
        try:
            parts.append((piece, call(piece)))
        except fault as error:
            if len(piece) == 1:
                faults.append((piece[0], error))
            else:
                waiting += list(slices(piece, piece_size(len(piece), singly)))[::-1]
    return Isolated(parts, faults)


def piece_size(rows: int, singly: int = SINGLY) -> int:
    """Return how many rows each piece of a slice that failed has: √n, or one where there are few."""
    return 1 if rows <= singly else max(1, isqrt(rows))


def slices(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    """Yield `rows` in order, `size` at a time."""
    return (rows[start : start + size] for start in range(0, len(rows), size))
