"""Fusion: every strategy holds every document once, keeps what one ranking says, and weighs as it is told."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.retrieval.fusion import Strategy, by_distribution, fuse
from mixpeek.retrieval.results import Result

STRATEGIES: tuple[Strategy, ...] = ("rrf", "dbsf", "weighted", "max")
IDS = st.lists(st.sampled_from("abcdefgh"), unique=True)
SCORES = st.lists(st.floats(-1000, 1000), max_size=20)


def results(feature: str, ids: list[str], *, first: float = 1.0) -> list[Result]:
    return [Result(name, "col_1", first - place / 100, {feature: 1.0}) for place, name in enumerate(ids)]


@given(IDS, IDS, st.sampled_from(STRATEGIES), st.booleans())
def test_fusion_holds_every_document_once_best_first_ties_by_id(
    first: list[str], second: list[str], strategy: Strategy, comparable: bool
) -> None:
    fused = fuse([results("one", first), results("two", second)], strategy, [1.0, 2.0], comparable=comparable)

    assert sorted(result.document_id for result in fused) == sorted({*first, *second})
    assert fused == sorted(fused, key=lambda result: (-result.score, result.document_id))


@given(IDS, st.sampled_from(STRATEGIES))
def test_fusing_a_ranking_with_itself_keeps_its_order(ids: list[str], strategy: Strategy) -> None:
    assert [r.document_id for r in fuse([results("one", ids), results("two", ids)], strategy)] == ids


@given(st.lists(st.lists(st.sampled_from("abcd"), unique=True), min_size=3, max_size=3), st.sampled_from(STRATEGIES))
def test_the_order_of_the_searches_makes_no_difference(rankings: list[list[str]], strategy: Strategy) -> None:
    ranked = [results(str(n), ids, first=n + 1.0) for n, ids in enumerate(rankings)]
    wanted = {r.document_id: r.score for r in fuse(ranked, strategy)}

    for turned in itertools.permutations(ranked):
        assert {r.document_id: r.score for r in fuse(turned, strategy)} == pytest.approx(wanted)


def test_a_document_that_both_searches_find_comes_before_those_only_one_finds() -> None:
    fused = fuse([results("one", ["a", "both"]), results("two", ["b", "both"])], "rrf")

    assert fused[0].document_id == "both"
    assert fused[0].score == pytest.approx(2 / 62)
    assert set(fused[0].features) == {"one", "two"}


def test_weights_count_in_weighted_fusion_only() -> None:
    ranked = [results("one", ["a"]), results("two", ["b"])]

    assert [r.document_id for r in fuse(ranked, "weighted", [0.1, 0.9])] == ["b", "a"]
    assert [r.document_id for r in fuse(ranked, "rrf", [0.1, 0.9])] == ["a", "b"]


def test_the_maximum_is_the_best_score_of_a_document() -> None:
    fused = fuse([results("one", ["a"], first=0.3), results("two", ["a"], first=0.8)], "max")

    assert [result.score for result in fused] == [0.8]


def test_scores_of_different_kinds_are_brought_to_their_best_first() -> None:
    words, vectors = results("bm25", ["a"], first=17.0), results("vec", ["b"], first=0.9)

    assert [r.score for r in fuse([words, vectors], "max", comparable=False)] == [1.0, 1.0]


@given(SCORES)
def test_distribution_scaling_stays_within_bounds_and_in_order(scores: list[float]) -> None:
    scaled = by_distribution(scores)

    assert all(0.0 <= score <= 1.0 for score in scaled)
    order = sorted(range(len(scores)), key=lambda place: scores[place])
    assert [scaled[place] for place in order] == pytest.approx(sorted(scaled))
