"""Diversity and normalisation: pure functions of scores and vectors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.retrieval.diversity import order_by_mmr, similarity_of_fields, similarity_of_vectors
from mixpeek.retrieval.normalisation import Method, normalise

SCORES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)
VECTORS = st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=1, max_size=12)


@given(VECTORS, st.floats(0, 1), st.integers(1, 15))
def test_mmr_picks_each_document_at_most_once_and_the_most_relevant_first(
    vectors: list[list[float]], balance: float, count: int
) -> None:
    relevance = [float(n) for n in range(len(vectors))]

    picked = order_by_mmr(relevance, similarity_of_vectors(vectors, "cosine"), balance, count)

    assert len({place for place, _ in picked}) == len(picked) == min(count, len(vectors))
    if balance > 0.01:
        assert picked[0][0] == len(vectors) - 1


@given(VECTORS)
def test_mmr_without_diversity_is_the_order_of_relevance(vectors: list[list[float]]) -> None:
    relevance = [math.sin(n) for n in range(len(vectors))]

    picked = order_by_mmr(relevance, similarity_of_vectors(vectors, "dot"), 1.0, len(vectors))

    assert [place for place, _ in picked] == sorted(range(len(vectors)), key=lambda place: -relevance[place])


def test_mmr_puts_a_repetition_behind_what_is_new() -> None:
    vectors = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]

    picked = order_by_mmr([0.9, 0.89, 0.5], similarity_of_vectors(vectors, "cosine"), 0.5, 3)

    assert [place for place, _ in picked] == [0, 2, 1]


@given(VECTORS, st.sampled_from(["cosine", "dot", "euclidean"]))
def test_similarity_is_what_the_metric_says(vectors: list[list[float]], metric: str) -> None:
    alike = similarity_of_vectors(vectors, metric)

    assert alike.shape == (len(vectors), len(vectors))
    one, other = np.array(vectors[0]), np.array(vectors[-1])
    expected = {
        "dot": one @ other,
        "euclidean": 1 / (1 + np.linalg.norm(one - other)),
        "cosine": one @ other / ((np.linalg.norm(one) or 1) * (np.linalg.norm(other) or 1)),
    }[metric]
    assert alike[0, len(vectors) - 1] == pytest.approx(expected, abs=1e-6)


def test_fields_are_alike_by_the_weight_of_those_that_are_equal() -> None:
    alike = similarity_of_fields({"brand": ["a", "a", None], "year": [1, True, 1]}, {"brand": 3.0})

    assert alike[0].tolist() == [1.0, 0.75, 0.25]
    assert alike[2, 2] == 0.25  # what is missing equals nothing, not even itself


@given(SCORES, st.sampled_from(["min_max", "z_score", "softmax", "l2"]))
def test_normalising_keeps_the_order(scores: list[float], method: Method) -> None:
    scaled = normalise(scores, method)

    order = sorted(range(len(scores)), key=lambda place: scores[place])
    assert [scaled[place] for place in order] == sorted(scaled)


@given(SCORES)
def test_each_method_ends_in_its_range(scores: list[float]) -> None:
    assert all(0.0 <= score <= 1.0 for score in normalise(scores, "min_max"))
    assert math.fsum(normalise(scores, "softmax")) == pytest.approx(1.0)
    assert math.hypot(*normalise(scores, "l2")) == pytest.approx(1.0) or not any(scores)


def test_min_max_takes_bounds_and_cuts_what_lies_outside() -> None:
    assert normalise([-5.0, 0.0, 5.0, 20.0], "min_max", lowest=0.0, highest=10.0) == [0.0, 0.0, 0.5, 1.0]


@pytest.mark.parametrize("method", ["min_max", "z_score", "softmax", "l2"])
def test_of_nothing_there_is_nothing(method: Method) -> None:
    assert normalise([], method) == []
