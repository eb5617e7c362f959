"""How the vectors of an index are divided: which segments it has, and which of them are worth merging. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

SHARED = 1
"""The first segment of every index: its rows are in the table that small collections share."""


@dataclass(frozen=True)
class Limits:
    """When an index gets tables of its own, when its segments are full, and when they are merged.

    A search asks every segment, so that few are wanted; to merge is to build an index anew, which takes minutes for a
    hundred thousand rows. Segments are merged `together` at a time, so that a row is written again only once for every
    time that its collection has grown by that factor.

    While a batch fills the index, nothing but the shared segment is merged before there are nearly `most_while_filled`:
    the index of a large segment takes hundreds of megabytes, and a processor, that the batch has use for.
    """

    shared_rows: int = 10_000
    segment_rows: int = 20_000
    most_segments: int = 16
    most_while_filled: int = 64
    together: int = 4


@dataclass(frozen=True)
class Segment:
    """Some of an index's documents; `table_name` is None for those in the shared table."""

    segment: int
    state: str
    rows: int
    table_name: str | None = None


def plan_merge(
    segments: Sequence[Segment], limits: Limits, *, is_filled: bool = False, fits: int | None = None
) -> list[Segment]:
    """Return the segments to be merged into one next, none where all is well.

    The shared segment of an index that has tables of its own is moved first, along with whatever is small. After that
    the smallest go together where there are several of about their size, or too many of any.

    Args:
        is_filled: a batch is filling the index.
        fits: rows of which an index is built in memory. What is larger takes many times as long, a row: an hour for
            half a million. So segments of about a size make no larger one, unless there are too many.
    """
    shared = [each for each in segments if each.table_name is None and each.state != "merged"]
    full = sorted(
        (each for each in segments if each.table_name is not None and each.state == "indexed"),
        key=lambda each: (each.rows, each.segment),
    )
    if shared:
        return shared + [each for each in full if each.rows < limits.segment_rows]
    if is_filled and len(full) < limits.most_while_filled - limits.together:
        return []
    for start in range(len(full)):
        alike = [each for each in full[start:] if each.rows <= max(full[start].rows, limits.segment_rows) * 2]
        if len(alike) >= limits.together:
            group = full[: start + len(alike)]
            if fits is not None and sum(each.rows for each in group) > fits:
                group = _first_that_fit(alike, fits)
            if len(group) >= limits.together:
                return group
    too_many = len(full) - (limits.most_segments - limits.together)
    return full[: too_many + 1] if too_many > 0 else []


def _first_that_fit(segments: Sequence[Segment], rows: int) -> list[Segment]:
    sums = accumulate(each.rows for each in segments)
    return [each for each, total in zip(segments, sums, strict=True) if total <= rows]
