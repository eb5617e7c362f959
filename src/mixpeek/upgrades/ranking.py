"""How alike two rankings are. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence


def overlap(one: Sequence[str], other: Sequence[str], k: int) -> float:
    """Return the share of the first `k` of each ranking that both have; 1.0 where neither holds anything."""
    first, second = set(one[:k]), set(other[:k])
    longest = max(len(first), len(second))
    return len(first & second) / longest if longest else 1.0


def rank_correlation(one: Sequence[str], other: Sequence[str]) -> float | None:
    """Return Spearman's rank correlation over what both rankings hold, in [-1, 1]; None where that is less than two.

    Source: 1 - 6 Σ d² / (n (n² - 1)) over the ranks among what is shared, which are without ties.
    """
    shared = set(one) & set(other)
    n = len(shared)
    if n < 2:
        return None
    ranks = {key: rank for rank, key in enumerate(key for key in other if key in shared)}
    squares = sum((rank - ranks[key]) ** 2 for rank, key in enumerate(key for key in one if key in shared))
    return 1.0 - 6.0 * squares / (n * (n * n - 1))


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """Return mean, lowest tenth (by nearest rank) and minimum of some figures, None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return {
        "mean": round(math.fsum(ordered) / len(ordered), 4),
        "p10": round(ordered[math.ceil(0.1 * len(ordered)) - 1], 4),
        "min": round(ordered[0], 4),
    }
