"""What the inference route tells of each request, for the metrics; paid by every request, so plain additions only."""

from __future__ import annotations

from mixpeek.api.inference import Observe
from mixpeek.serving.replica_set import ReplicaSet
from mixpeek.serving.tally import Requests


def observer(unrouted: Requests) -> Observe:
    """Return what counts a request with the version that was asked, or as `unrouted` where none was reached."""

    def observe(target: ReplicaSet | None, status: int, seconds: float, batch: int) -> None:
        (unrouted if target is None else target.tally.inference).note(status, seconds, batch)

    return observe
