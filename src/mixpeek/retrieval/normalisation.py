"""Scores on a common scale: pure functions of a list of numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Literal

Method = Literal["min_max", "z_score", "softmax", "l2"]


def normalise(
    scores: Sequence[float], method: Method, *, lowest: float | None = None, highest: float | None = None
) -> list[float]:
    """Return scores on another scale, in their order, which is kept.

    `min_max` → [0, 1] between `lowest` and `highest`, default those that occur; what lies outside is cut; all 1 where
    they are equal. `z_score` → mean 0, deviation 1. `softmax` → sum 1. `l2` → length 1.
    """
    if not scores:
        return []
    if method == "min_max":
        low = min(scores) if lowest is None else lowest
        high = max(scores) if highest is None else highest
        return [min(1.0, max(0.0, (score - low) / (high - low))) if high > low else 1.0 for score in scores]
    if method == "z_score":
        mean, spread = statistics.fmean(scores), statistics.pstdev(scores)
        return [(score - mean) / spread if spread else 0.0 for score in scores]
    if method == "softmax":
        best = max(scores)  # taken off, so that no power overflows
        powers = [math.exp(score - best) for score in scores]
        total = math.fsum(powers)
        return [power / total for power in powers]
    largest = max(abs(score) for score in scores)
    if not largest:
        return [0.0] * len(scores)
    parts = [score / largest for score in scores]  # so that the least numbers are not rounded to their own size
    length = math.hypot(*parts)
    return [part / length for part in parts]
