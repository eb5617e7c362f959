"""From what is counted to what is told: calls from requests, and rollouts and rows that are counted once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mixpeek.metrics.families import Samples
from mixpeek.metrics.rollouts import Rollouts, phase_durations
from mixpeek.metrics.versions import calls_from_requests
from mixpeek.metrics.work import Work

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def told(samples: Samples, name: str) -> dict[tuple[str, ...], Any]:
    """Return the values of a metric that are not 0, by their labels."""
    return {labels: value for labels, value in samples[name] if value}


# calls ---------------------------------------------------------------------------------------------------------------


def test_calls_are_counted_from_the_requests_that_shared_them() -> None:
    calls = calls_from_requests({1: 5, 4: 8, 16: 3})

    told = dict(zip((*calls.bounds, "more"), calls.counts, strict=True))
    assert {size: count for size, count in told.items() if count} == {1.0: 5, 4.0: 2, 16.0: 1}
    assert calls.total == 5 * 1 + 2 * 4 + 1 * 16


# rollouts ------------------------------------------------------------------------------------------------------------


def moment(phase: str, seconds: float) -> dict[str, Any]:
    return {"phase": phase, "at": after(seconds).isoformat()}


@pytest.mark.parametrize(("timeline", "durations"), [
    ([], {}),
    ([moment("building", 1), moment("gate", 3), moment("start", 6), moment("live", 10)],
     {"queued": 1, "building": 2, "gate": 3, "start": 4}),
    # A failure repeats the phase it happened in.
    ([moment("building", 1), moment("gate", 3), moment("gate", 8)], {"queued": 1, "building": 2, "gate": 5}),
    # How long it was live is no phase of the rollout.
    ([moment("building", 1), moment("live", 2), moment("ended", 900)], {"queued": 1, "building": 1}),
])  # fmt: skip
def test_phases_last_from_one_moment_to_the_next(timeline: list[Any], durations: dict[str, float]) -> None:
    assert dict(phase_durations(BEGAN, timeline)) == durations


def entry(number: int, outcome: str = "deployed", *, settled: bool = False, **fields: Any) -> dict[str, Any]:
    timeline = [moment("building", 1), moment("live", 2)]
    deployment = {"deployment_type": "realtime", "queued_at": BEGAN, "timeline": timeline}
    return {"entry": number, "action": "deploy", "outcome": outcome, "settled": settled, **deployment, **fields}


def test_a_rollout_is_counted_once_however_often_it_is_read() -> None:
    rollouts = Rollouts(floor=10)

    rollouts.take([entry(11, "queued"), entry(12)])
    rollouts.take([entry(11, "queued"), entry(12), entry(13, "failed")])

    assert told(rollouts.samples(), "deployments_total") == {
        ("deploy", "realtime", "deployed"): 1,
        ("deploy", "realtime", "failed"): 1,
    }
    assert rollouts.floor == 10


def test_an_entry_that_appears_before_one_already_read_is_counted_too() -> None:
    rollouts = Rollouts(floor=0)

    rollouts.take([entry(2)])
    rollouts.take([entry(1), entry(2)])
    rollouts.take([entry(1, settled=True), entry(2, settled=True)])
    rollouts.take([])

    assert told(rollouts.samples(), "deployments_total") == {("deploy", "realtime", "deployed"): 2}
    assert rollouts.floor == 2


def test_what_is_no_rollout_is_not_counted_as_one() -> None:
    rollouts = Rollouts(floor=0)

    published = entry(1, "published", action="publish", queued_at=None, timeline=None, deployment_type=None)
    rollouts.take([published, entry(2, "promoted", action="promote")])

    assert not told(rollouts.samples(), "deployments_total")
    assert not rollouts.samples()["deployment_phase_duration_seconds"]


# tasks and rows ------------------------------------------------------------------------------------------------------


def task(
    status: str, changed_s: float, *, created_s: float = 1, identifier: str = "t", **progress: Any
) -> dict[str, Any]:
    return {
        "task_id": identifier,
        "workflow": "run_batch",
        "status": status,
        "created_at": after(created_s),
        "updated_at": after(changed_s),
        "progress": progress or None,
    }


def rows(work: Work) -> dict[str, Any]:
    return {labels[0]: value for labels, value in work.samples()["batch_rows_total"]}


def test_rows_are_counted_as_they_are_committed_and_a_task_when_it_ends() -> None:
    work = Work(BEGAN)

    work.take([task("IN_PROGRESS", 2, written=100, failed=1, chunks_committed=1)], after(3))
    work.take([task("IN_PROGRESS", 2, written=100, failed=1, chunks_committed=1)], after(18))
    work.take([task("COMPLETED", 30, written=250, failed=4, skipped=7, chunks_committed=3)], after(33))
    work.take([task("COMPLETED", 30, written=250, failed=4, skipped=7, chunks_committed=3)], after(48))

    assert rows(work) == {"written": 250, "skipped": 7, "failed": 4}
    assert told(work.samples(), "batch_chunks_total") == {(): 3}
    assert told(work.samples(), "tasks_total") == {("run_batch", "COMPLETED"): 1}


def test_of_a_batch_that_ran_before_only_what_follows_is_counted() -> None:
    work = Work(BEGAN)

    work.take([task("IN_PROGRESS", 2, created_s=-100, written=1000)], after(3))
    work.take([task("IN_PROGRESS", 8, created_s=-100, written=1200)], after(9))

    assert rows(work)["written"] == 200


def test_a_task_that_rests_for_long_between_two_commits_is_not_counted_again() -> None:
    work = Work(BEGAN)

    work.take([task("IN_PROGRESS", 2, written=100)], after(3))
    work.take([], after(4000))
    work.take([task("IN_PROGRESS", 8000, written=150)], after(8001))

    assert rows(work)["written"] == 150
    assert work.since == after(8001 - 60)


def test_what_a_database_holds_beside_numbers_is_no_count() -> None:
    work = Work(BEGAN)

    work.take([task("IN_PROGRESS", 2, written="many")], after(3))

    assert rows(work)["written"] == 0
