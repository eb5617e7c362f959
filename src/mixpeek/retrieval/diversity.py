"""Maximal marginal relevance (Carbonell and Goldstein, 1998): each next document is relevant and unlike those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixpeek.retrieval.results import hashable

Matrix = NDArray[np.float64]


def order_by_mmr(relevance: Sequence[float], similarity: Matrix, balance: float, count: int) -> list[tuple[int, float]]:
    """Return the places of up to `count` documents in the order they are picked, each with its score when picked.

    Args:
        relevance: of each document, higher is better.
        similarity: shape (n, n), of each to each; 1 is the same.
        balance: λ in [0, 1]; 1 looks at relevance only, 0 at diversity only.
    Ties go to the earlier place.
    """
    left = np.ones(len(relevance), dtype=bool)
    gain = balance * np.asarray(relevance, dtype=np.float64)
    nearest = np.full(len(relevance), -np.inf)
    picked: list[tuple[int, float]] = []
    while len(picked) < count and left.any():
        penalty = np.where(np.isinf(nearest), 0.0, nearest)
        score = np.where(left, gain - (1.0 - balance) * penalty, -np.inf)
        place = int(np.argmax(score))
        picked.append((place, float(score[place])))
        left[place] = False
        nearest = np.maximum(nearest, similarity[place])
    return picked


def similarity_of_vectors(vectors: Sequence[Sequence[float]], metric: str) -> Matrix:
    """Return how alike vectors of one space are, shape (n, n): cosine, dot, or 1 / (1 + distance)."""
    rows = np.array(vectors, dtype=np.float64).reshape(len(vectors), -1)
    if metric == "euclidean":
        squares = (rows**2).sum(axis=1)
        distance = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * rows @ rows.T, 0.0))
        similar: Matrix = 1.0 / (1.0 + distance)
        return similar
    if metric == "cosine":
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = rows / np.where(lengths == 0.0, 1.0, lengths)
    return rows @ rows.T


def similarity_of_fields(values: Mapping[str, Sequence[Any]], weights: Mapping[str, float]) -> Matrix:
    """Return the weighted share of fields in which documents are equal, shape (n, n); a missing value equals none.

    Args: values: by field, the value of each document, None where it is missing.
    """
    total = sum(weights.get(name, 1.0) for name in values) or 1.0
    count = len(next(iter(values.values()), ()))
    whole = np.zeros((count, count))
    for name, column in values.items():
        numbers: dict[Any, int] = {}
        codes = np.array([-1 if v is None else numbers.setdefault(hashable(v), len(numbers)) for v in column])
        whole += weights.get(name, 1.0) * ((codes[:, None] == codes[None, :]) & (codes >= 0)[:, None])
    return whole / total
