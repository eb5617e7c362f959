"""What a rollout went through, phase by phase: when each began, how long it took, how it went. Pure."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

from mixpeek.deployments.models import Deployment, Phase, Status

# What a phase's status was before timelines said it themselves.
_STATUS_OF = {
    Phase.BUILDING: Status.PENDING,
    Phase.LIVE: Status.DEPLOYED,
    Phase.ENDED: Status.NOT_DEPLOYED,
}


def timeline_of(deployment: Deployment) -> list[dict[str, Any]]:
    """Return the phases of a deployment in order; the queue, which is no phase of the work, ends with the first.

    Each has `phase`, `status`, `at` and `started_at` (the same moment), `duration_s` (None for the last, which goes
    on or is how it ended) and `detail`.
    """
    entries = deployment.timeline
    moments = [datetime.fromisoformat(entry["at"]) for entry in entries]
    return [
        {
            "phase": entry["phase"],
            "status": entry.get("status") or _STATUS_OF.get(entry["phase"], Status.IN_PROGRESS),
            "at": entry["at"],
            "started_at": entry["at"],
            "duration_s": duration,
            "detail": entry.get("detail"),
        }
        for entry, duration in zip(entries, _durations(moments), strict=True)
    ]


def _durations(moments: list[datetime]) -> list[float | None]:
    # A clock that was set back meanwhile makes no phase shorter than nothing.
    passed = [max(0.0, round((after - before).total_seconds(), 3)) for before, after in pairwise(moments)]
    return [*passed, None][: len(moments)]
