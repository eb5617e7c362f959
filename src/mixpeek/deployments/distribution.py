"""How numbers are distributed, in little memory, so that what several processes counted can be added up."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

# Neighbouring buckets differ by 5 %, so a quantile is right to about 2.5 %.
_GROWTH = math.log(1.05)
# Anything smaller counts as zero: for a cosine, or for seconds, it is.
_ZERO = 1e-9
_LARGEST = 1e9


@dataclass
class Distribution:
    """Counts of numbers from 0 to a thousand million; `buckets` holds how many lie near each power of 1.05."""

    count: int = 0
    total: float = 0.0
    smallest: float = math.inf
    largest: float = 0.0
    zeros: int = 0
    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, value: float) -> None:
        """Count one number; a negative one counts as zero."""
        value = min(max(value, 0.0), _LARGEST)
        self.count += 1
        self.total += value
        self.smallest = min(self.smallest, value)
        self.largest = max(self.largest, value)
        if value < _ZERO:
            self.zeros += 1
            return
        place = math.floor(math.log(value) / _GROWTH)
        self.buckets[place] = self.buckets.get(place, 0) + 1

    def merge(self, other: Distribution) -> None:
        """Count what another one has counted too."""
        self.count += other.count
        self.total += other.total
        self.smallest = min(self.smallest, other.smallest)
        self.largest = max(self.largest, other.largest)
        self.zeros += other.zeros
        for place, number in other.buckets.items():
            self.buckets[place] = self.buckets.get(place, 0) + number

    @property
    def mean(self) -> float | None:
        """The mean, None of nothing."""
        return self.total / self.count if self.count else None

    def quantile(self, part: float) -> float | None:
        """Return the number below which `part` (0 to 1) of all lie, to about 2.5 %; None of nothing."""
        if not self.count:
            return None
        wanted = max(1, math.ceil(part * self.count))
        if wanted == self.count:
            return self.largest
        seen = self.zeros
        if seen >= wanted:
            return self.smallest
        for place in sorted(self.buckets):
            seen += self.buckets[place]
            if seen >= wanted:
                return min(max(math.exp((place + 0.5) * _GROWTH), self.smallest), self.largest)
        return self.largest

    def wire(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "count": self.count,
            "total": self.total,
            "smallest": self.smallest if self.count else None,
            "largest": self.largest,
            "zeros": self.zeros,
            "buckets": {str(place): number for place, number in self.buckets.items()},
        }


def distribution_from_wire(wire: dict[str, Any]) -> Distribution:
    """Return the distribution that `Distribution.wire` made this of."""
    return Distribution(
        count=wire["count"],
        total=wire["total"],
        smallest=math.inf if wire["smallest"] is None else wire["smallest"],
        largest=wire["largest"],
        zeros=wire["zeros"],
        buckets={int(place): number for place, number in wire["buckets"].items()},
    )
