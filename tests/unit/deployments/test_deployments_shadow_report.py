"""What is kept of many numbers, and of many comparisons, and that parts of it can be added up."""

from __future__ import annotations

import json
import random

import pytest

from mixpeek.deployments.comparison import Difference
from mixpeek.deployments.distribution import Distribution, distribution_from_wire
from mixpeek.deployments.shadow_report import MOST_KEYS, ShadowReport, report_from_wire


def distribution_of(numbers: list[float]) -> Distribution:
    found = Distribution()
    for number in numbers:
        found.add(number)
    return found


def test_quantiles_are_right_to_three_percent_and_the_ends_exactly() -> None:
    chance = random.Random(7)
    numbers = sorted(chance.lognormvariate(-5, 2) for _ in range(5000))

    found = distribution_of(numbers)

    for part in (0.01, 0.05, 0.5, 0.95, 0.99):
        assert found.quantile(part) == pytest.approx(numbers[int(part * 5000) - 1], rel=0.03)
    assert (found.smallest, found.quantile(1), found.count) == (numbers[0], numbers[-1], 5000)
    assert found.mean == pytest.approx(sum(numbers) / 5000)
    assert len(found.buckets) < 400


def test_parts_added_up_are_the_whole_also_by_way_of_json() -> None:
    numbers = [0.0, 1e-12, 0.003, 0.5, 2.0, 0.5, 7.0]
    first, second = distribution_of(numbers[:3]), distribution_of(numbers[3:])

    first.merge(distribution_from_wire(json.loads(json.dumps(second.wire()))))
    first.merge(distribution_from_wire(json.loads(json.dumps(Distribution().wire()))))

    assert first == distribution_of(numbers)


def test_nothing_has_no_quantile() -> None:
    assert (Distribution().quantile(0.5), Distribution().mean) == (None, None)


def test_zeros_are_the_smallest_of_all() -> None:
    found = distribution_of([0.0] * 6 + [0.5] * 4)

    assert (found.quantile(0.5), found.quantile(0.95)) == (0.0, 0.5)


def some_report() -> ShadowReport:
    report = ShadowReport()
    for place in range(100):
        report.note_times(0.010, 0.020)
        # Ninety-eight alike, one orthogonal, one opposite.
        distance = {0: 2.0, 1: 1.0}.get(place, 0.0)
        report.note_difference(Difference(distances={"vector": distance}, changed=["label"] if place < 2 else []))
    report.note_errors(stable=False, shadow=("plugin.raised", "ValueError: no"))
    report.note_errors(stable=True, shadow=("plugin.crashed", "It ended\x00"))
    report.note_errors(stable=True, shadow=None)
    report.dropped += 4
    return report


def test_a_report_says_how_much_was_compared_and_how_it_differs() -> None:
    found = some_report().describe()

    assert {name: found[name] for name in ("mirrored", "compared", "alike", "dropped", "too_large")} == {
        "mirrored": 103,
        "compared": 100,
        "alike": 98,
        "dropped": 4,
        "too_large": 0,
    }
    assert found["errors"] == {"stable": 2, "shadow": 2, "both": 1}
    assert found["shadow_error_codes"] == {"plugin.raised": 1, "plugin.crashed": 1}
    assert found["last_shadow_error"] == "It ended\\x00", "a database cannot hold every character"
    assert found["features"] == [
        {
            "feature": "vector",
            "compared": 100,
            "min": -1.0,
            "p1": pytest.approx(0.0, abs=0.03),
            "p5": 1.0,
            "p50": 1.0,
            "mean": pytest.approx(0.97),
            "unlike": 0,
        }
    ]
    assert found["keys"] == [{"key": "label", "changed": 2, "missing": 0, "added": 0}]
    assert found["latency"]["ratio"] == {"p50": pytest.approx(2, rel=0.03), "p95": pytest.approx(2, rel=0.03)}


def test_reports_of_several_processes_add_up() -> None:
    parts = [json.loads(json.dumps(some_report().wire())) for _ in range(3)]

    whole = report_from_wire(parts).describe()

    assert (whole["mirrored"], whole["errors"]["both"], whole["dropped"]) == (309, 3, 12)
    assert whole["features"][0]["compared"] == 300
    assert whole["keys"] == [{"key": "label", "changed": 6, "missing": 0, "added": 0}]
    assert report_from_wire([]).describe()["latency"]["ratio"] == {"p50": None, "p95": None}


def test_a_plugin_that_makes_up_keys_cannot_make_a_report_grow() -> None:
    report, other = ShadowReport(), ShadowReport()
    for place in range(500):
        report.note_difference(Difference(added=[f"a{place}"]))
        other.note_difference(Difference(added=[f"b{place}"]))

    report.merge(other)

    assert len(report.keys) == MOST_KEYS
    assert report.further_keys == 1000 - MOST_KEYS
