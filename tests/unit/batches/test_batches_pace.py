"""How fast a batch goes, how long it may still take, and how long one call may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.batches.progress import Rate, eta_s
from mixpeek.host.patience import LEAST_CALLS, LEAST_SUSPECT_S, SUSPICION, Pace


@given(st.floats(0.1, 1e5), st.lists(st.floats(0.01, 30), min_size=1, max_size=20))
def test_a_steady_rate_is_told_as_it_is(rows_per_s: float, pauses: list[float]) -> None:
    rate, now = Rate(0.0), 0.0

    for pause in pauses:
        now += pause
        told = rate.note(rows_per_s * pause, now)  # type: ignore[arg-type]

    assert told == pytest.approx(rows_per_s, rel=1e-6)


def test_a_rate_follows_what_is_done_of_late() -> None:
    rate = Rate(0.0)
    rate.note(1000, 1.0)

    for second in range(2, 62):
        rate.note(10, float(second))

    assert rate.rows_per_s == pytest.approx(10, rel=2)


@pytest.mark.parametrize(
    ("objects", "committed", "rows", "rows_per_s", "expected"),
    [
        (100, 100, 100, 5.0, 0.0),
        (0, 0, 0, None, 0.0),
        (100, 0, 0, None, None),
        (100, 50, 50, None, None),
        (100, 50, 50, 5.0, 10.0),
        (100, 50, 500, 5.0, 100.0),
    ],
)
def test_what_is_left_is_held_against_the_rate(
    objects: int, committed: int, rows: int, rows_per_s: float | None, expected: float | None
) -> None:
    assert eta_s(objects, committed, rows, rows_per_s) == expected


def test_nothing_is_suspected_before_a_few_calls_and_the_first_one_does_not_count() -> None:
    pace = Pace()

    pace.note(9.0, 1)  # loads a model
    early = pace.suspect_s(15.0, 1)
    for _ in range(LEAST_CALLS):
        pace.note(0.001, 1)

    assert early == 15.0
    assert pace.suspect_s(15.0, 1) == LEAST_SUSPECT_S


@given(st.lists(st.floats(0, 100), max_size=20), st.floats(0.01, 60))
def test_a_call_is_suspected_neither_at_its_usual_length_nor_later_than_it_may_take(
    calls: list[float], call_s: float
) -> None:
    pace = Pace()

    for seconds in calls:
        pace.note(seconds, 8)

    assert pace.suspect_s(call_s, 8) <= call_s
    assert pace.suspect_s(call_s, 8) >= min(call_s, SUSPICION * max(calls[1:], default=0.0)) * 0.999
    assert pace.suspect_s(call_s, 1) <= pace.suspect_s(call_s, 8)
