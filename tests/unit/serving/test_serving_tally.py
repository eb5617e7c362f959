"""Counting requests: into the right bucket, by status, and by how many shared a call."""

from __future__ import annotations

import pytest

from mixpeek.serving.tally import REQUEST_BOUNDS_S, Histogram, Requests, Tally


@pytest.mark.parametrize(("value", "place"), [(0.0, 0), (1.0, 0), (1.5, 1), (2.0, 1), (2.1, 2), (1e9, 2)])
def test_a_value_at_a_bound_counts_below_it_and_one_above_all_in_the_last_place(value: float, place: int) -> None:
    histogram = Histogram((1.0, 2.0))

    histogram.note(value)

    assert histogram.counts == [int(each == place) for each in range(3)]
    assert histogram.total == value


def test_a_copy_counts_on_its_own() -> None:
    histogram = Histogram((1.0,))
    copy = histogram.copy()

    histogram.note(0.5, times=3)

    assert (copy.counts, copy.total) == ([0, 0], 0.0)
    assert (histogram.counts, histogram.total) == ([3, 0], 1.5)


def test_requests_are_counted_by_status_seconds_and_the_size_of_their_call() -> None:
    requests = Requests()

    for status, seconds, batch in ((200, 0.0001, 1), (200, 0.004, 2), (200, 0.004, 2), (503, 31.0, 0)):
        requests.note(status, seconds, batch)

    assert requests.codes == {200: 3, 503: 1}
    assert requests.shared == {1: 1, 2: 2}
    told = dict(zip((*REQUEST_BOUNDS_S, float("inf")), requests.latency.counts, strict=True))
    assert {bound: count for bound, count in told.items() if count} == {0.0001: 1, 0.005: 2, float("inf"): 1}
    assert requests.latency.total == pytest.approx(31.0081)


def test_the_bounds_reach_from_a_tenth_of_a_millisecond_to_half_a_minute() -> None:
    assert (REQUEST_BOUNDS_S[0], REQUEST_BOUNDS_S[-1]) == (0.0001, 30.0)
    assert list(REQUEST_BOUNDS_S) == sorted(set(REQUEST_BOUNDS_S))


def test_each_source_has_counts_of_its_own() -> None:
    tally = Tally()

    tally.requests("test").note(200, 0.1, 1)
    tally.requests("test").note(200, 0.1, 1)
    tally.inference.note(500, 0.1, 0)

    assert {source: dict(each.codes) for source, each in tally.asked.items()} == {
        "inference": {500: 1},
        "test": {200: 2},
    }
