"""The BM25 ranking function, asked of texts in memory; the store is held to it by tests. Pure.

Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, with the inverse
document frequency of Lucene, ln(1 + (N - n + 0.5) / (n + 0.5)), which never is negative.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

Key = TypeVar("Key", str, tuple[str, str])
K1 = 1.2
B = 0.75


def idf(documents: int, having: int) -> float:
    """Return how much a term tells that `having` of so many documents have."""
    return math.log(1 + (documents - having + 0.5) / (having + 0.5))


def score(times: int, length: int, average_length: float, weight: float) -> float:
    """Return what one term, `times` in a text of `length` terms, adds to its score."""
    return weight * times * (K1 + 1) / (times + K1 * (1 - B + B * length / average_length))


def rank(texts: Mapping[Key, Sequence[str]], query: Sequence[str]) -> list[tuple[Key, float]]:
    """Return the keys of the texts that have a term of the query, with their scores: best first, ties by key."""
    if not texts:
        return []
    counts = {key: Counter(terms) for key, terms in texts.items()}
    average = sum(map(len, texts.values())) / len(texts)
    weights = {term: idf(len(texts), sum(term in count for count in counts.values())) for term in query}
    scored = {
        key: sum(score(count[term], len(texts[key]), average, weights[term]) for term in query if count[term])
        for key, count in counts.items()
        if any(term in count for term in query)
    }
    return sorted(scored.items(), key=lambda item: (-item[1], item[0]))
