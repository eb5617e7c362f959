"""The arithmetic of the benchmarks: percentiles, ratios, limits, when requests are due and which met an event."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from harness.figures import Limit, judge, median_ratio, percentile
from harness.open_loop import Schedule, is_complete, outcome_of
from harness.timeline import AFTERMATH_S, AROUND_SWITCH_S, Event, Outcome, Timeline, around, outside, switches, within


def outcome(due: float, *, seconds: float = 0.01, version: str = "1", status: int = 200) -> Outcome:
    return Outcome(due, seconds, status, version, "")


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (0.991, 100.0), (1.0, 100.0)])
def test_a_percentile_is_the_smallest_value_that_the_share_does_not_exceed(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], share) == expected


def test_a_percentile_of_one_value_is_that_value_and_of_none_there_is_none() -> None:
    assert percentile([7.0], 0.99) == 7.0
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_a_ratio_is_formed_within_a_round_before_the_median_over_rounds() -> None:
    assert median_ratio([10, 200, 3], [10, 100, 1]) == 2.0


def test_a_limit_holds_up_to_its_edge_and_never_for_a_figure_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    kept = [Limit("as fast", 0.9, "≥", 0.9), Limit("as slow", 2.0, "≤", 2.0)]

    assert judge(kept)
    assert not judge([*kept, Limit("not measured", math.nan, "≤", 1.0)])
    assert [line[:4] for line in capsys.readouterr().out.splitlines()] == ["pass"] * 4 + ["FAIL"]


def test_requests_are_due_evenly_and_a_late_look_finds_all_that_were_missed() -> None:
    schedule = Schedule(10.0, rate=4.0)

    assert schedule.take_due(9.9) == []
    assert schedule.take_due(10.0) == [10.0]
    assert schedule.take_due(11.1) == [10.25, 10.5, 10.75, 11.0]
    assert schedule.next_at == 11.25


def test_an_answer_is_complete_once_its_body_is_and_says_who_gave_it_or_what_failed() -> None:
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Plugin-Version: 1.0.3\r\n\r\n{}"
    body = b'{"error": {"type": "ConflictError", "message": "not deployed"}}'
    bad = b"HTTP/1.1 409 Conflict\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    assert [is_complete(good[:end]) for end in (10, len(good) - 1, len(good))] == [False, False, True]
    assert outcome_of(5.0, 0.1, good) == (5.0, 0.1, 200, "1.0.3", "")
    assert outcome_of(5.0, 0.1, bad) == (5.0, 0.1, 409, "", "ConflictError: not deployed")
    assert outcome_of(5.0, 0.1, b"HTTP/1.1 502 X\r\n\r\n<html>")[2:] == (502, "", "<html>")


def test_a_switch_is_the_first_answer_of_the_version_that_takes_over_after_it_was_asked_for() -> None:
    events = [Event("rollout", "redeploy 2", 10.0, 12.0, "2"), Event("rollout", "back to 1", 20.0, 21.0, "1")]
    outcomes = [outcome(9.0), outcome(11.4, seconds=0.5, version="2"), outcome(11.5, version="2"), outcome(20.5)]

    assert switches(events, outcomes) == {"redeploy 2": pytest.approx(11.51), "back to 1": pytest.approx(20.51)}


def test_a_request_that_waited_into_a_switch_counts_for_it() -> None:
    waited = outcome(5.0, seconds=6.0)
    before, after = outcome(10.0 - AROUND_SWITCH_S - 0.1), outcome(10.0 + AROUND_SWITCH_S + 0.1)

    assert around([10.0], [waited, before, outcome(10.5), after]) == [waited, outcome(10.5)]


def test_each_request_is_within_an_event_or_its_aftermath_or_outside_of_all() -> None:
    event = Event("kill", "kill -9", 10.0, 10.2)
    met, missed = outcome(10.2 + AFTERMATH_S), outcome(9.99)
    timeline = Timeline([event])

    assert within([event], [met, missed]) == [met]
    assert outside([event], [met, missed]) == [missed]
    assert (timeline.at(met.due), timeline.at(missed.due)) == ("kill -9", "nothing: steady load")
