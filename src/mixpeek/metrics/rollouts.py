"""Rollouts that ended while this process runs, counted from the ledger: each once, however often it is read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import pairwise, product
from typing import Any

from mixpeek.deployments.models import Phase
from mixpeek.metrics.families import Samples
from mixpeek.serving.tally import Histogram

PHASE_BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
# What begins a rollout; other entries may name one as well, which has been counted then.
_ACTIONS = ("deploy", "rollback")
# A rollout that has come here has ended; how long it is live is no phase of it.
_ENDS = (Phase.LIVE, Phase.ENDED)


class Rollouts:
    """Counts what the ledger tells of, from entry `floor` on."""

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self._seen: set[int] = set()
        # Told from the beginning: of a counter that appears with its first count, that count is not seen to rise.
        self._ended: Counter[tuple[str, str, str]] = Counter(
            dict.fromkeys(product(_ACTIONS, ("realtime",), ("deployed", "failed")), 0)
        )
        self._phases: dict[str, Histogram] = {}

    def take(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Count those entries after `floor` that are new; move it behind what can change no more."""
        young = set()
        for entry in entries:
            if entry["entry"] not in self._seen:
                self._count(entry)
            if entry["settled"]:
                self.floor = entry["entry"]
            young.add(entry["entry"])
        self._seen = {number for number in young if number > self.floor}

    def _count(self, entry: Mapping[str, Any]) -> None:
        if entry["action"] not in _ACTIONS or entry["outcome"] == "queued" or entry["queued_at"] is None:
            return
        self._ended[entry["action"], entry["deployment_type"], entry["outcome"]] += 1
        for phase, seconds in phase_durations(entry["queued_at"], entry["timeline"]):
            self._phases.setdefault(phase, Histogram(PHASE_BOUNDS_S)).note(seconds)

    def samples(self) -> Samples:
        """Return the counts so far."""
        samples: Samples = defaultdict(list)
        samples["deployments_total"] = [(labels, count) for labels, count in sorted(self._ended.items())]
        samples["deployment_phase_duration_seconds"] = [
            ((phase,), seconds.copy()) for phase, seconds in sorted(self._phases.items())
        ]
        return samples


def phase_durations(queued_at: datetime, timeline: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    """Yield each phase of a rollout with its seconds, from waiting in the queue to its end."""
    moments = [(str(Phase.QUEUED), queued_at)]
    moments += [(str(each["phase"]), datetime.fromisoformat(each["at"])) for each in timeline]
    for (phase, began), (_, ended) in pairwise(moments):
        if phase in _ENDS:
            return
        yield phase, max(0.0, (ended - began).total_seconds())
