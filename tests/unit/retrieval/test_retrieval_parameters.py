"""Parameters of stages: the short forms they take, and what of them does not fit."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mixpeek.errors import PluginReplyInvalid
from mixpeek.retrieval.embedding import key_of
from mixpeek.retrieval.pagination import Fingerprint, page_of
from mixpeek.retrieval.results import Result
from mixpeek.retrieval.schemas import Pagination
from mixpeek.retrieval.stages.api_call import escaped, is_allowed, picked
from mixpeek.retrieval.stages.feature_search import Parameters, Query
from mixpeek.retrieval.stages.kind import check_written
from mixpeek.retrieval.stages.mmr import Parameters as Diversity
from mixpeek.retrieval.stages.rerank import scores_from_reply
from mixpeek.retrieval.stages.sample import draw_from_strata
from mixpeek.retrieval.stages.score_normalize import Parameters as Normalised

URI = "mixpeek://words@1.0.0/vec"


@pytest.mark.parametrize(
    "given_", ["cats", {"text": "cats"}, {"value": "cats"}, {"input_mode": "text", "value": "cats"}]
)
def test_every_documented_form_of_a_text_query_means_the_same(given_: object) -> None:
    assert Query.model_validate(given_) == Query(input_mode="text", value="cats")


def test_content_vectors_and_documents_have_older_forms_too() -> None:
    assert Query.model_validate({"content": {"url": "https://a/b.png"}}).value == "https://a/b.png"
    assert Query.model_validate([0.1, 0.2]).input_mode == "vector"
    assert Query.model_validate({"document_ref": {"document_id": "d"}}).input_mode == "document"


def test_the_final_number_is_by_default_within_what_each_search_returns() -> None:
    searches = [{"feature_uri": URI, "query": "x", "top_k": 5}, {"feature_uri": URI, "query": "x"}]

    assert Parameters.model_validate({"searches": searches}).final_top_k == 5


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"final_top_k": 6}, "must not exceed the smallest top_k"),
        ({"fusion": "learned"}, "`learned` fusion is not served"),
        ({"learning_config": {}}, "`learned` fusion is not served"),
        ({"query_preprocessing": {"max_chunks": 3}}, "`query_preprocessing` is not served"),
    ],
)
def test_what_does_not_fit_or_is_not_served_is_refused_by_name(more: Any, fault: str) -> None:
    searches = [{"feature_uri": URI, "query": "x", "top_k": 5}]

    with pytest.raises(ValidationError, match=fault):
        Parameters.model_validate({"searches": searches, **more})


def test_facets_and_groups_have_short_forms() -> None:
    made = Parameters.model_validate(
        {"facets": ["topic"], "group_by": {"field": "topic", "group_size": 3}, "searches": []}
    )

    assert made.facets is not None
    assert made.group_by is not None
    assert (made.facets[0].key, made.group_by.max_per_group) == ("topic", 3)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.integers(1, 60), st.integers(0, 5), st.integers())
def test_strata_are_drawn_from_in_proportion_and_never_too_often(
    sizes: list[int], count: int, least: int, seed: int
) -> None:
    strata = [[100 * n + place for place in range(size)] for n, size in enumerate(sizes)]

    drawn = draw_from_strata(strata, count, least, random.Random(seed))

    assert len(drawn) == len(set(drawn)) == min(count, sum(sizes))
    if count >= least * len(sizes):
        assert all(sum(place // 100 == n for place in drawn) >= min(least, size) for n, size in enumerate(sizes))


@pytest.mark.parametrize(
    "reply",
    [
        [0.1, 2],
        {"scores": [0.1, 2]},
        {"results": [{"index": 1, "score": 2}, {"index": 0, "relevance_score": 0.1}]},
    ],
)
def test_a_rerankers_reply_is_read_in_its_usual_forms(reply: Any) -> None:
    assert scores_from_reply(reply, 2, "judge") == [0.1, 2.0]


@pytest.mark.parametrize("reply", [None, [], [1], {"scores": [1, None]}, {"results": [{"index": 5, "score": 1}]}, "x"])
def test_another_reply_of_a_reranker_is_its_authors_fault(reply: Any) -> None:
    with pytest.raises(PluginReplyInvalid, match="judge did not score 2 documents"):
        scores_from_reply(reply, 2, "judge")


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("api.example.com", True),
        ("deep.sub.example.org", True),
        ("example.org", False),
        ("evilexample.org", False),
        ("api.example.com.evil.net", False),
    ],
)
def test_only_listed_hosts_and_those_below_a_star_are_called(host: str, allowed: bool) -> None:
    assert is_allowed(host, ["api.example.com", "*.example.org"]) is allowed


def test_what_a_document_holds_cannot_leave_its_place_in_an_address() -> None:
    assert escaped({"sku": "../x?y=1#z", "n": 3}) == {"sku": "..%2Fx%3Fy%3D1%23z", "n": 3}


@pytest.mark.parametrize(
    ("path", "part"),
    [(None, {"a": [{"b": 1}]}), ("$.a[0].b", 1), ("a[0]", {"b": 1}), ("$.x.y", None), ("$.a[7]", None)],
)
def test_a_part_of_an_answer_is_picked_by_its_path(path: str | None, part: Any) -> None:
    assert picked({"a": [{"b": 1}]}, path) == part


@given(st.integers(0, 40), st.integers(1, 15), st.sampled_from(["cursor", "keyset", "offset"]))
def test_pages_follow_each_other_without_gap_or_repetition(count: int, size: int, method: Any) -> None:
    results = [Result(f"d{n}", "c", 1.0 - n / 100) for n in range(count)]
    seen: list[str] = []
    wanted = Pagination(method=method, limit=size)
    for _ in range(count + 2):
        shown = page_of(results, wanted, Fingerprint("f"))
        seen += [each.document_id for each in shown.results]
        if not shown.wire["has_next"]:
            break
        following = {"cursor": shown.wire["next_cursor"], "after": shown.wire["after"]}
        number = shown.wire["next_page"] or 1
        wanted = Pagination.model_validate({"method": method, "limit": size, "page_number": number, **following})

    assert seen == [result.document_id for result in results]
    assert page_of(results, None, Fingerprint("f")).wire["total"] == count


def test_a_cursor_goes_on_behind_its_document_wherever_that_is_by_now() -> None:
    before = [Result(name, "c", 1.0) for name in "abcd"]
    cursor = page_of(before, Pagination(limit=2), Fingerprint("f")).wire["next_cursor"]
    after = [Result(name, "c", 1.0) for name in "xabcd"]

    shown = page_of(after, Pagination(limit=2, cursor=cursor), Fingerprint("f"))

    assert [each.document_id for each in shown.results] == ["c", "d"]


@pytest.mark.parametrize(
    ("model", "given_"),
    [
        (Normalised, {"min_value": 1, "max_value": 0}),
        (Normalised, {"method": "z_score", "min_value": 0}),
        (Normalised, {"score_field": "_internal.size_bytes"}),
        (Diversity, {"diversity_fields": ["topic"], "diversity_field_weights": {"topic": -1}}),
    ],
)
def test_bounds_and_weights_that_mean_nothing_are_refused(model: Any, given_: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(given_)


@pytest.mark.parametrize("name", ["score", "scores.mine", "metadata.found", "topic", "scored"])
def test_a_stage_writes_scores_and_fields(name: str) -> None:
    assert check_written(name) == name


@given(st.lists(st.text(), min_size=2, max_size=2, unique=True))
def test_vectors_are_remembered_by_short_keys_that_tell_what_made_them_apart(values: list[str]) -> None:
    one, other = (key_of("hash", {"size": 1}, "vec", "content", value * 1000) for value in values)
    others = [key_of("hash", {"size": 2}, "vec", "content", values[0]), key_of("hash", {}, "vec", "text", values[0])]

    assert len(one) == 32
    if values[0] * 1000 != values[1] * 1000:
        assert len({one, other, *others}) == 4
