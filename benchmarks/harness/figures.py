"""Figures and the limits they are held against: percentiles, ratios, and one printed line of judgement each."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that `share` (0 to 1) of all values do not exceed; raise ValueError for none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median over rounds of ours divided by theirs, round by round."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


@dataclass(frozen=True)
class Limit:
    """What must hold of one figure; `relation` is `≥` or `≤`, `note` is printed behind."""

    what: str
    value: float
    relation: str
    limit: float
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether it does; never for a figure that is no number."""
        return self.value >= self.limit if self.relation == "≥" else self.value <= self.limit

    def __str__(self) -> str:
        verdict = "pass" if self.holds else "FAIL"
        line = f"{verdict}  {self.what:62} {self.value:9.2f}  {self.relation} {self.limit:<6g}"
        return f"{line} {self.note}".rstrip()


def judge(limits: Iterable[Limit]) -> bool:
    """Print every line and return whether all hold."""
    judged = list(limits)
    for limit in judged:
        print(limit, flush=True)
    return all(limit.holds for limit in judged)
