"""Which segments are merged: few remain, and no row is written again for every few that are added."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mixpeek.documents.segments import SHARED, Limits, Segment, plan_merge

LIMITS = Limits(shared_rows=10, segment_rows=20, most_segments=8, together=4)


def indexed(*rows: int) -> list[Segment]:
    return [Segment(n + 2, "indexed", count, f"vectors_1_s{n + 2}") for n, count in enumerate(rows)]


def merged(segments: list[Segment]) -> list[int]:
    return [each.rows for each in plan_merge(segments, LIMITS)]


def test_the_shared_segment_moves_with_what_is_small() -> None:
    shared = Segment(SHARED, "sealed", 10)

    assert merged([shared, *indexed(20, 3)]) == [10, 3]
    assert merged([Segment(SHARED, "merged", 10), *indexed(20, 3)]) == []


def test_segments_of_about_a_size_go_together_with_all_that_is_smaller() -> None:
    assert merged(indexed(20, 20, 20)) == []
    assert merged(indexed(80, 20, 20, 20, 20)) == [20, 20, 20, 20]
    assert merged(indexed(5, 80, 90, 85, 100)) == [5, 80, 85, 90, 100]


def test_open_and_sealed_ones_are_left_alone() -> None:
    waiting = [Segment(n, state, 20, f"t{n}") for n, state in enumerate(["open", "sealed", "sealed", "indexed"])]

    assert merged(waiting) == []


@given(st.lists(st.integers(1, 20), max_size=300))
def test_however_it_grows_few_remain_and_a_row_moves_seldom(sizes: list[int]) -> None:
    segments: list[Segment] = []
    moved = 0
    for number, rows in enumerate(sizes):
        segments.append(Segment(number, "indexed", rows, "t"))
        while chosen := plan_merge(segments, LIMITS):
            assert len(chosen) > 1
            moved += sum(each.rows for each in chosen)
            segments = [each for each in segments if each not in chosen]
            segments.append(Segment(number + 1000 + moved, "indexed", sum(each.rows for each in chosen), "t"))
        assert len(segments) <= LIMITS.most_segments - LIMITS.together

    assert moved <= sum(sizes) * 12
