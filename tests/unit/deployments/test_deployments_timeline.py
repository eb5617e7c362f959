"""What a rollout went through, as its status shows it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mixpeek.deployments.models import Deployment
from mixpeek.deployments.timeline import timeline_of


def deployment(*timeline: dict[str, Any]) -> Deployment:
    texts = dict.fromkeys(("deployment_id", "namespace_id", "plugin_id", "name", "deployment_type", "action"), "x")
    moment = datetime(2026, 7, 29, tzinfo=UTC)
    return Deployment(
        **texts,
        role="stable",
        traffic=100,
        status="QUEUED",
        phase="queued",
        error=None,
        failure=None,
        message=None,
        warnings=[],
        timeline=list(timeline),
        actor=None,
        task_id=None,
        queued_at=moment,
        finished_at=None,
    )


def at(second: float) -> str:
    return f"2026-07-29T10:00:{second:09.6f}+00:00"


def test_a_phase_lasts_until_the_next_begins_and_the_last_one_has_no_duration() -> None:
    building = {"phase": "building", "status": "PENDING", "at": at(1), "detail": "3 packages"}
    gate = {"phase": "gate", "status": "IN_PROGRESS", "at": at(1.25)}

    first, second = timeline_of(deployment(building, gate))

    assert first == {**building, "started_at": at(1), "duration_s": 0.25}
    assert second == {**gate, "started_at": at(1.25), "duration_s": None, "detail": None}


def test_a_queued_deployment_has_no_phases_yet() -> None:
    assert timeline_of(deployment()) == []


def test_a_clock_that_was_set_back_makes_no_phase_negative() -> None:
    first, _ = timeline_of(deployment({"phase": "building", "at": at(5)}, {"phase": "gate", "at": at(2)}))

    assert first["duration_s"] == 0.0


def test_a_timeline_from_before_it_kept_statuses_still_has_them() -> None:
    phases = ("building", "gate", "start", "live", "ended")

    entries = timeline_of(deployment(*({"phase": phase, "at": at(0)} for phase in phases)))

    statuses = ["PENDING", "IN_PROGRESS", "IN_PROGRESS", "DEPLOYED", "NOT_DEPLOYED"]
    assert [entry["status"] for entry in entries] == statuses
