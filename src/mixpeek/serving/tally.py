"""What is counted of one version while it has hosts: its requests, its starts, the hosts that ended.

Every realtime request pays for this, on the one loop that answers them all: plain numbers, no lock, no label. Names and
labels are given when somebody reads them (`mixpeek.metrics`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import Literal

# Upper bounds in seconds: an answer of a trivial handler takes a fifth of a millisecond, a time limit 15 s.
REQUEST_BOUNDS_S = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
START_BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)

# Who asks: the inference route, `realtime/test`, a retriever that needs a query's vector.
Source = Literal["inference", "test", "retriever"]


class Histogram:
    """How often a value fell between two bounds; `counts` has one more than `bounds`, for what is above them all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, value: float, times: int = 1) -> None:
        """Count a value; one that equals a bound belongs below it."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def copy(self) -> Histogram:
        """Return one that counts on its own."""
        copy = Histogram(self.bounds)
        copy.counts, copy.total = list(self.counts), self.total
        return copy


class Requests:
    """Requests that were answered: by HTTP status, by seconds, and by how many shared the plugin's call."""

    __slots__ = ("_counts", "codes", "latency", "shared")

    def __init__(self) -> None:
        self.codes: defaultdict[int, int] = defaultdict(int)
        self.latency = Histogram(REQUEST_BOUNDS_S)
        self.shared: defaultdict[int, int] = defaultdict(int)
        self._counts = self.latency.counts

    def note(self, status: int, seconds: float, batch: int) -> None:
        """Count one request; `batch` is how many shared the call that answered it, 0 where none did."""
        self.codes[status] += 1
        # Not `latency.note`: one call less for every request.
        self._counts[bisect_left(REQUEST_BOUNDS_S, seconds)] += 1
        self.latency.total += seconds
        if batch:
            self.shared[batch] += 1


class Tally:
    """Everything counted of one version; sets that overlap or follow one another share it, so no counter goes back."""

    __slots__ = ("asked", "inference", "restarts", "start_failures", "starts")

    def __init__(self) -> None:
        self.inference = Requests()
        self.asked: dict[Source, Requests] = {"inference": self.inference}
        self.starts = Histogram(START_BOUNDS_S)
        self.start_failures = 0
        self.restarts = 0

    def requests(self, source: Source) -> Requests:
        """Return the counts of one source."""
        if source not in self.asked:
            self.asked[source] = Requests()
        return self.asked[source]
