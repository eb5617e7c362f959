"""What this process tells of each version it has hosts for."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mixpeek.execution.port import Told
from mixpeek.metrics.families import Samples
from mixpeek.serving.replica import Served
from mixpeek.serving.replica_set import ReplicaSet, Standing
from mixpeek.serving.tally import Histogram, Source

BATCH_BOUNDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


@dataclass(frozen=True)
class Asked:
    """Copies of one source's counts."""

    codes: dict[int, int]
    latency: Histogram


@dataclass(frozen=True)
class Seen:
    """One version at one moment, copied on the loop that changes it."""

    served: Served
    standings: list[Standing]
    asked: dict[Source, Asked]
    shared: dict[int, int]
    starts: Histogram
    start_failures: int
    restarts: int

    @property
    def labels(self) -> tuple[str, str, str]:
        return self.served.namespace_id, self.served.name, self.served.version

    @property
    def pids(self) -> list[int]:
        return [pid for standing in self.standings for pid in standing.pids]

    @property
    def told(self) -> list[Told]:
        return [told for standing in self.standings for told in standing.told]


def look(sets: Iterable[ReplicaSet]) -> list[Seen]:
    """Return every version at this moment; several sets of one version are one. Called on the loop that serves."""
    by_version: defaultdict[tuple[str, str], list[ReplicaSet]] = defaultdict(list)
    for each in sets:
        by_version[each.served.namespace_id, each.served.plugin_id].append(each)
    return [_seen(group) for group in by_version.values()]


def _seen(group: list[ReplicaSet]) -> Seen:
    tally = group[0].tally  # which they share
    shared: defaultdict[int, int] = defaultdict(int)
    for requests in tally.asked.values():
        for size, count in requests.shared.items():
            shared[size] += count
    return Seen(
        served=group[0].served,
        standings=[each.stand() for each in group],
        asked={source: Asked(dict(each.codes), each.latency.copy()) for source, each in tally.asked.items()},
        shared=dict(shared),
        starts=tally.starts.copy(),
        start_failures=tally.start_failures,
        restarts=tally.restarts,
    )


def samples_of_versions(versions: Iterable[Seen]) -> Samples:
    """Return what is told of versions, all but what their hosts use."""
    samples: Samples = defaultdict(list)
    for seen in versions:
        labels = seen.labels
        for source, asked in seen.asked.items():
            samples["plugin_request_duration_seconds"].append(((*labels, source), asked.latency))
            for code, count in sorted({200: 0, **asked.codes}.items()):
                samples["plugin_requests_total"].append(((*labels, source, str(code)), count))
        for state, count in (("ready", sum(each.ready for each in seen.standings)),
                             ("starting", sum(each.starting for each in seen.standings))):  # fmt: skip
            samples["plugin_replicas"].append(((*labels, state), count))
        told: Mapping[str, float | Histogram] = {
            "plugin_batch_size": calls_from_requests(seen.shared),
            "plugin_requests_queued": sum(each.waiting for each in seen.standings),
            "plugin_requests_in_flight": sum(each.under_way for each in seen.standings),
            "plugin_replicas_wanted": sum(each.wanted for each in seen.standings),
            "plugin_restarts_total": seen.restarts,
            "plugin_start_duration_seconds": seen.starts,
            "plugin_start_failures_total": seen.start_failures,
        }
        for name, value in told.items():
            samples[name].append((labels, value))
        samples["plugin_info"].append(((*labels, seen.served.plugin_id, seen.served.code_hash), 1))
    return samples


def calls_from_requests(shared: Mapping[int, int]) -> Histogram:
    """Return calls by size, from requests by the size of the call that answered them.

    Each request knows how many shared its call, so `n` requests of size `s` were `n / s` calls; a call whose answers
    are not all counted yet is counted already.
    """
    sizes = Histogram(BATCH_BOUNDS)
    for size, requests in shared.items():
        sizes.note(size, times=math.ceil(requests / size))
    return sizes
