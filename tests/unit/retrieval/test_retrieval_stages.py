"""`feature_search`: the short forms of its parameters, their limits, and the fusion of several searches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mixpeek.retrieval.models import Result
from mixpeek.retrieval.stages.feature_search import Parameters, Query, _fuse

URI = "mixpeek://words@1.0.0/vec"


@pytest.mark.parametrize(
    "given_", ["cats", {"text": "cats"}, {"value": "cats"}, {"input_mode": "text", "value": "cats"}]
)
def test_every_documented_form_of_a_text_query_means_the_same(given_: object) -> None:
    assert Query.model_validate(given_) == Query(input_mode="text", value="cats")


def test_the_final_number_is_by_default_within_what_each_search_returns() -> None:
    searches = [{"feature_uri": URI, "query": "x", "top_k": 5}, {"feature_uri": URI, "query": "x"}]

    assert Parameters.model_validate({"searches": searches}).final_top_k == 5


def test_a_final_number_above_the_smallest_search_is_refused() -> None:
    with pytest.raises(ValidationError, match="must not exceed the smallest top_k"):
        Parameters.model_validate({"searches": [{"feature_uri": URI, "query": "x", "top_k": 5}], "final_top_k": 6})


def results(feature: str, ids: list[str]) -> list[Result]:
    return [Result(name, "col_1", 1.0 - place / 100, {feature: 1.0}) for place, name in enumerate(ids)]


IDS = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(IDS, IDS)
def test_fusion_holds_every_document_once_best_first_ties_by_id(first: list[str], second: list[str]) -> None:
    fused = _fuse([results("one", first), results("two", second)])

    assert sorted(result.document_id for result in fused) == sorted({*first, *second})
    assert fused == sorted(fused, key=lambda result: (-result.score, result.document_id))


@given(IDS)
def test_fusing_a_ranking_with_itself_keeps_its_order(ids: list[str]) -> None:
    assert [r.document_id for r in _fuse([results("one", ids), results("two", ids)])] == ids


def test_a_document_that_both_searches_find_comes_before_those_only_one_finds() -> None:
    fused = _fuse([results("one", ["a", "both"]), results("two", ["b", "both"])])

    assert fused[0].document_id == "both"
    assert set(fused[0].features) == {"one", "two"}
