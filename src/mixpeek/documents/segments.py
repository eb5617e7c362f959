"""How the vectors of an index are divided: which segments it has, and which of them are worth merging. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHARED = 1
"""The first segment of every index: its rows are in the table that small collections share."""


@dataclass(frozen=True)
class Limits:
    """When an index gets tables of its own, when its segments are full, and when they are merged.

    A search asks every segment, so that few are wanted; to merge is to build an index anew, which takes minutes for a
    hundred thousand rows. Segments are merged `together` at a time, so that a row is written again only once for every
    time that its collection has grown by that factor.
    """

    shared_rows: int = 10_000
    segment_rows: int = 20_000
    most_segments: int = 16
    together: int = 4


@dataclass(frozen=True)
class Segment:
    """Some of an index's documents; `table_name` is None for those in the shared table."""

    segment: int
    state: str
    rows: int
    table_name: str | None = None


def plan_merge(segments: Sequence[Segment], limits: Limits) -> list[Segment]:
    """Return the segments to be merged into one next, none where all is well.

    The shared segment of an index that has tables of its own is moved first, along with whatever is small. After that
    the smallest go together where there are several of about their size, or too many of any.
    """
    shared = [each for each in segments if each.table_name is None and each.state != "merged"]
    full = sorted(
        (each for each in segments if each.table_name is not None and each.state == "indexed"),
        key=lambda each: (each.rows, each.segment),
    )
    if shared:
        return shared + [each for each in full if each.rows < limits.segment_rows]
    for start in range(len(full)):
        alike = [each for each in full[start:] if each.rows <= max(full[start].rows, limits.segment_rows) * 2]
        if len(alike) >= limits.together:
            return full[: start + len(alike)]
    too_many = len(full) - (limits.most_segments - limits.together)
    return full[: too_many + 1] if too_many > 0 else []
