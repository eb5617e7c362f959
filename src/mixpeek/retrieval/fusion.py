"""Several rankings made one: pure functions of ranks and scores.

Reciprocal rank fusion is Cormack, Clarke and Büttcher's (2009), score = Σ 1 / (60 + rank). Distribution-based fusion
scales each ranking by its mean and three standard deviations, as Mazzeschi (2023) does, and adds up.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Literal

from mixpeek.retrieval.results import Result

RRF_CONSTANT = 60
Strategy = Literal["rrf", "dbsf", "weighted", "max"]
Scale = Callable[[Sequence[float]], list[float]]


def fuse(
    ranked: Sequence[Sequence[Result]], strategy: Strategy, weights: Sequence[float] = (), *, comparable: bool = True
) -> list[Result]:
    """Return every document of several rankings once, best first, ties by document id.

    Args:
        ranked: each best first.
        weights: of the rankings, in their order; only `weighted` looks at them.
        comparable: whether a score means the same in each; if not, `weighted` and `max` divide each ranking's scores by
            its best one.
    """
    fused: dict[str, Result] = {}
    for place, results in enumerate(ranked):
        shares = _shares([result.score for result in results], strategy, comparable=comparable)
        weight = weights[place] if strategy == "weighted" and weights else 1.0
        for result, share in zip(results, shares, strict=True):
            into = fused.get(result.document_id)
            if into is None:
                into = fused[result.document_id] = Result(
                    result.document_id, result.collection_id, share * weight, stored=result.stored
                )
            elif strategy == "max":
                into.score = max(into.score, share)
            else:
                into.score += share * weight
            into.features.update(result.features)
    return sorted(fused.values(), key=lambda result: (-result.score, result.document_id))


def _shares(scores: Sequence[float], strategy: Strategy, *, comparable: bool) -> list[float]:
    """Return what each place of one ranking adds to its document's score."""
    if strategy == "rrf":
        return [1.0 / (RRF_CONSTANT + rank) for rank in range(1, len(scores) + 1)]
    if strategy == "dbsf":
        return by_distribution(scores)
    return list(scores) if comparable else by_best(scores)


def by_distribution(scores: Sequence[float]) -> list[float]:
    """Return scores scaled so that mean ± 3 standard deviations are 0 and 1, cut there; equal ones are all 0.5."""
    spread = statistics.pstdev(scores) if len(scores) > 1 else 0.0
    if spread == 0.0:
        return [0.5] * len(scores)
    low, width = statistics.fmean(scores) - 3 * spread, 6 * spread
    return [min(1.0, max(0.0, (score - low) / width)) for score in scores]


def by_best(scores: Sequence[float]) -> list[float]:
    """Return scores divided by the largest magnitude among them."""
    best = max((abs(score) for score in scores), default=0.0)
    return [score / best if best else 0.0 for score in scores]
