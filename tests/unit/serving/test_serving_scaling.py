"""What a manifest's `serve_config` comes to, and the decisions about replicas: pure functions, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from mixpeek.contract.manifest import Manifest
from mixpeek.deployments.serve_plan import ServePlan, plan_from_manifest, start_limit_s
from mixpeek.serving.scaling import (
    DOWN_AFTER_S,
    LONGEST_BACKOFF_S,
    MOST_AHEAD,
    UP_AFTER_S,
    Pressure,
    backoff_s,
    most_under_way,
    retry_after_s,
    scale,
)


def plan_of(**serve: Any) -> ServePlan:
    manifest = Manifest(feature_extractor_name="words", version="1.0.0", serve_config=serve or None)
    return plan_from_manifest(manifest, idle_s=300, cores=4)


@pytest.mark.parametrize(
    ("serve", "expected"),
    [
        ({}, (1, 1, 1)),
        ({"num_replicas": 3}, (3, 3, 3)),
        ({"max_replicas": 4}, (1, 1, 4)),
        ({"num_replicas": 2, "max_replicas": 4}, (2, 2, 4)),
        ({"min_replicas": 2, "max_replicas": 4}, (2, 2, 4)),
        ({"min_replicas": 1, "num_replicas": 3, "max_replicas": 4}, (3, 1, 4)),
        ({"min_replicas": 0}, (1, 0, 1)),
        ({"min_replicas": 0, "max_replicas": 2}, (1, 0, 2)),
        ({"num_replicas": 3, "max_replicas": 2}, (2, 2, 2)),
        ({"max_replicas": 8, "num_cpus": 1}, (1, 1, 4)),
        ({"min_replicas": 2, "max_replicas": 8, "num_cpus": 4}, (2, 2, 2)),
    ],
)
def test_replicas_follow_from_the_serve_config(serve: dict[str, Any], expected: tuple[int, int, int]) -> None:
    plan = plan_of(**serve)

    assert (plan.initial, plan.fewest, plan.most) == expected


def test_limits_come_from_the_serve_config_and_else_from_defaults() -> None:
    given = plan_of(timeout_s=3, start_timeout_s=40, memory_gb=1, max_batch_size=4, max_queued_requests=7)
    silent = plan_of()

    assert (given.timeout_s, given.start_timeout_s, given.memory_bytes) == (3, 40, 1024**3)
    assert (given.batch_size, given.queue) == (4, 7)
    assert (silent.timeout_s, silent.start_timeout_s, silent.memory_bytes) == (15, 20, 2 * 1024**3)
    assert (silent.batch_size, silent.queue, silent.ahead) == (16, 256, 2)


BETWEEN = ServePlan(initial=1, fewest=1, most=4, target_ongoing=2)
TO_ZERO = ServePlan(initial=1, fewest=0, most=2, target_ongoing=2, idle_s=300)


@pytest.mark.parametrize(
    ("plan", "ongoing", "current", "above", "below", "idle_for", "wanted"),
    [
        pytest.param(BETWEEN, 2, 1, None, None, 0, 1, id="the load fits"),
        pytest.param(BETWEEN, 6, 1, None, None, 0, 1, id="a burst just began"),
        pytest.param(BETWEEN, 6, 1, UP_AFTER_S, None, 0, 3, id="load that lasts adds what it needs"),
        pytest.param(BETWEEN, 90, 1, UP_AFTER_S, None, 0, 4, id="never more than the most"),
        pytest.param(BETWEEN, 0, 4, None, DOWN_AFTER_S - 1, 5, 4, id="a short lull changes nothing"),
        pytest.param(BETWEEN, 3, 4, None, DOWN_AFTER_S, 0, 2, id="load that is gone for long takes replicas away"),
        pytest.param(BETWEEN, 0, 4, None, DOWN_AFTER_S, 900, 1, id="never fewer than the fewest"),
        pytest.param(TO_ZERO, 0, 1, None, 900, 299, 1, id="idle, but not for long enough"),
        pytest.param(TO_ZERO, 0, 1, None, 900, 300, 0, id="idle for long"),
        pytest.param(TO_ZERO, 0, 2, None, DOWN_AFTER_S, 900, 1, id="to zero by way of one"),
        pytest.param(TO_ZERO, 1, 0, None, None, 0, 1, id="a first request starts one at once"),
    ],
)
def test_replicas_follow_the_load(
    plan: ServePlan,
    ongoing: int,
    current: int,
    above: float | None,
    below: float | None,
    idle_for: float,
    wanted: int,
) -> None:
    now = 1000.0
    since = Pressure(None if above is None else now - above, None if below is None else now - below)

    found, _ = scale(plan, since, ongoing=ongoing, current=current, now=now, idle_since=now - idle_for)

    assert found == wanted


def test_pressure_starts_again_once_the_load_fits() -> None:
    _, rising = scale(BETWEEN, Pressure(), ongoing=6, current=1, now=0.0, idle_since=0.0)
    _, fitting = scale(BETWEEN, rising, ongoing=2, current=1, now=0.5, idle_since=0.0)
    wanted, _ = scale(BETWEEN, fitting, ongoing=6, current=1, now=UP_AFTER_S + 0.1, idle_since=0.0)

    assert rising == Pressure(above_since=0.0)
    assert fitting == Pressure()
    assert wanted == 1


@pytest.mark.parametrize(
    ("batch_size", "seconds", "expected"),
    [(1, 0.0, 2), (1, 0.2, 2), (1, 0.001, 5), (1, 0.00001, MOST_AHEAD), (16, 0.05, 32), (16, 0.00001, MOST_AHEAD)],
)
def test_a_replica_is_sent_two_calls_or_what_it_answers_at_once(batch_size: int, seconds: float, expected: int) -> None:
    assert most_under_way(ServePlan(), batch_size=batch_size, seconds=seconds) == expected


def test_crashes_in_a_row_are_waited_for_longer_and_longer() -> None:
    waits = [backoff_s(crashes) for crashes in range(1, 12)]

    assert waits[:4] == [0.0, 0.5, 1.0, 2.0]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_BACKOFF_S
    assert backoff_s(10_000) == LONGEST_BACKOFF_S


def test_who_is_refused_hears_when_the_queue_will_have_moved_on() -> None:
    assert retry_after_s(waiting=100, replicas=2, seconds=0.1) == 5.0
    assert retry_after_s(waiting=1, replicas=1, seconds=0.0) == 1.0
    assert retry_after_s(waiting=10_000, replicas=0, seconds=1.0) == 30.0


def test_a_green_replica_is_waited_for_longer_than_its_own_limits_let_it_take() -> None:
    slow = ServePlan(start_timeout_s=900.0, timeout_s=60.0)

    assert start_limit_s(ServePlan(start_timeout_s=1.0, timeout_s=1.0)) > 1.0 + 10.0 + 1.0
    assert start_limit_s(slow) > 2 * (900.0 + 60.0) + 900.0
