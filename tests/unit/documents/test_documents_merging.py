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


def test_while_a_batch_fills_it_only_the_shared_one_moves_until_there_are_too_many() -> None:
    def merged_meanwhile(segments: list[Segment]) -> list[int]:
        return [each.rows for each in plan_merge(segments, LIMITS, is_filled=True)]

    limit = LIMITS.most_while_filled - LIMITS.together
    assert merged_meanwhile(indexed(*[20] * (limit - 1))) == []
    assert merged_meanwhile(indexed(*[20] * limit)) == [20] * limit
    assert merged_meanwhile([Segment(SHARED, "sealed", 10), *indexed(20, 20, 20, 20, 3)]) == [10, 3]


def test_what_no_longer_fits_in_memory_is_made_only_where_there_are_too_many() -> None:
    def merged_within(fits: int, segments: list[Segment]) -> list[int]:
        return [each.rows for each in plan_merge(segments, LIMITS, fits=fits)]

    assert merged_within(400, indexed(*[20] * 50)) == [20] * 20
    assert merged_within(400, indexed(*[200] * 4)) == []
    assert merged_within(400, indexed(3, 90, 90, 90, 90, 90)) == [90] * 4
    assert merged_within(400, indexed(*[400] * 5)) == [400, 400]


def test_open_and_sealed_ones_are_left_alone() -> None:
    waiting = [Segment(n, state, 20, f"t{n}") for n, state in enumerate(["open", "sealed", "sealed", "indexed"])]

    assert merged(waiting) == []


@given(st.lists(st.integers(1, 20), max_size=300), st.sampled_from([None, 1000, 200]))
def test_however_it_grows_few_remain_and_a_row_moves_seldom(sizes: list[int], fits: int | None) -> None:
    segments: list[Segment] = []
    moved = 0
    for number, rows in enumerate(sizes):
        segments.append(Segment(number, "indexed", rows, "t"))
        while chosen := plan_merge(segments, LIMITS, fits=fits):
            assert len(chosen) > 1
            moved += sum(each.rows for each in chosen)
            segments = [each for each in segments if each not in chosen]
            segments.append(Segment(number + 1000 + moved, "indexed", sum(each.rows for each in chosen), "t"))
        assert len(segments) <= LIMITS.most_segments - LIMITS.together

    assert moved <= sum(sizes) * 12
