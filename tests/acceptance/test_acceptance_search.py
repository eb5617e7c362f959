"""Searches on a real server: every way to ask for what is near, over one small collection."""

from __future__ import annotations

from typing import Any

import pytest

from factories.library import ROWS, Library
from factories.platform import unique


def test_words_find_what_has_them_by_bm25(library: Library) -> None:
    found = library.run(library.stage("feature_search", searches=[library.search(uri=library.text_uri)]), query="rain")

    assert {document["topic"] for document in found["documents"]} == {"weather"}
    assert [*found["documents"][0]["features"]] == [library.text_uri]
    assert found["results"] == found["documents"]
    assert found["warnings"] == []


@pytest.mark.parametrize("fusion", ["rrf", "dbsf", "weighted", "max"])
def test_vectors_and_words_are_fused(library: Library, fusion: str) -> None:
    searches = [library.search(weight=0.7), library.search(uri=library.text_uri, weight=0.3)]
    found = library.run(library.stage("feature_search", searches=searches, fusion=fusion))

    best = found["documents"][0]
    assert best["content"] == "the cat on the mat"
    assert set(best["features"]) == {library.uri, library.text_uri}
    scores = [document["score"] for document in found["documents"]]
    assert scores == sorted(scores, reverse=True)


def test_each_way_to_ask_finds_the_document_itself(library: Library) -> None:
    [cat] = library.run(
        library.stage("attribute_filter", field="content", value="the cat on the mat"), return_vectors=True
    )["documents"]
    queries = [
        "the cat on the mat",
        {"text": "the cat on the mat"},
        {"input_mode": "text", "value": "the cat on the mat"},
        {"input_mode": "content", "value": "the cat on the mat"},
        {"input_mode": "vector", "value": cat["words_vector"]},
        {"input_mode": "document", "document_ref": {"document_id": cat["document_id"]}},
        {
            "input_mode": "document",
            "document_ref": {"collection_id": "library", "document_id": cat["document_id"]},
        },
    ]

    for query in queries:
        found = library.run(library.stage("feature_search", searches=[library.search(query, top_k=3)]))["documents"]
        assert (found[0]["content"], round(found[0]["score"], 5)) == ("the cat on the mat", 1.0), query
        assert len(found) == 3


def test_a_query_is_embedded_once(library: Library) -> None:
    stage = library.stage("feature_search", searches=[library.search()])
    query = unique("never asked before")

    hits = [library.run(stage, query=query)["stage_statistics"]["stages"][stage["stage_name"]] for _ in range(2)]
    forgetful = library.stage("feature_search", searches=[library.search()], cache_behavior="disabled")
    again = library.run(forgetful, query=query)["stage_statistics"]["stages"][forgetful["stage_name"]]

    assert [hit["cache_hit"] for hit in hits] == [False, True]
    assert again["cache_hit"] is False


def test_filters_are_asked_of_the_store_before_the_search_is_cut(library: Library) -> None:
    only_pets = {"field": "topic", "operator": "eq", "value": "{{INPUT.topic}}"}
    searches = [library.search("apples and pears", top_k=2)]
    ways = [
        [library.stage("feature_search", pre_filters=only_pets, searches=searches)],
        [library.stage("feature_search", searches=searches, pre_filters=only_pets)],
        [library.stage("feature_search", searches=[{**searches[0], "filters": only_pets}])],
        [library.stage("attribute_filter", conditions=only_pets), library.stage("feature_search", searches=searches)],
    ]

    for stages in ways:
        assert set(library.texts(*stages, inputs={"topic": "pets"})) == {ROWS[2][0], ROWS[3][0]}


def test_a_search_after_a_search_looks_among_what_was_found(library: Library) -> None:
    first = library.stage("feature_search", searches=[library.search("rain", uri=library.text_uri)])
    second = library.stage("feature_search", searches=[library.search("apples")])

    assert set(library.texts(first, second)) == {ROWS[4][0], ROWS[5][0]}


def test_what_scores_too_little_is_left_out_before_fusion(library: Library) -> None:
    stage = library.stage("feature_search", searches=[library.search(min_score=0.999)])

    assert library.texts(stage) == ["the cat on the mat"]


def test_an_empty_query_is_an_error_unless_it_says_otherwise(library: Library) -> None:
    error = library.refused(library.stage("feature_search", searches=[library.search("")]))
    skipped = library.run(
        library.stage(
            "feature_search", searches=[library.search("{{INPUT.absent}}", on_empty="skip"), library.search("cat")]
        )
    )
    none = library.run(library.stage("feature_search", searches=[library.search("", on_empty="skip")]))
    drawn = library.run(library.stage("feature_search", searches=[library.search("", on_empty="random", top_k=4)]))

    assert "empty" in error["message"]
    assert len(skipped["documents"]) == 6
    assert (none["documents"], len(none["warnings"])) == ([], 1)
    assert len({document["document_id"] for document in drawn["documents"]}) == 4


def test_a_search_without_searches_is_its_filter(library: Library) -> None:
    stage = library.stage("feature_search", pre_filters={"topic": "fruit"}, final_top_k=1)

    assert len(library.texts(stage)) == 1
    assert "pre_filters" in library.refused(library.stage("feature_search"))["message"]


def test_facets_count_all_that_passes_the_filters(library: Library) -> None:
    stage = library.stage(
        "feature_search",
        searches=[library.search(top_k=1)],
        pre_filters={"field": "year", "operator": "gte", "value": 2019},
        facets=["topic", {"key": "tags", "limit": 2}],
    )
    found = library.run(stage)

    assert found["facets"]["topic"] == [
        {"value": "fruit", "count": 2}, {"value": "pets", "count": 2}, {"value": "weather", "count": 1},
    ]  # fmt: skip
    assert found["facets"]["tags"] == [{"value": "a", "count": 2}, {"value": "b", "count": 2}]


def test_groups_show_the_best_of_each(library: Library) -> None:
    def grouped(**wanted: Any) -> Any:
        group_by = {"field": "topic", **wanted}
        return library.run(library.stage("feature_search", searches=[library.search()], group_by=group_by))

    first, both, flat = grouped(), grouped(group_size=2), grouped(max_per_group=2, output_mode="flatten", limit=1)

    assert first["documents"][0]["content"] == "the cat on the mat"
    assert sorted(document["topic"] for document in first["documents"]) == ["fruit", "pets", "weather"]
    assert (len(both["documents"]), both["groups"][0]["group_key"], both["groups"][0]["count"]) == (6, "pets", 2)
    assert {document["topic"] for document in flat["documents"]} == {"pets"}
    assert flat["groups"] is None


def test_groups_are_made_of_what_a_filter_alone_lets_pass(library: Library) -> None:
    recent = {"field": "year", "operator": "gte", "value": 2020}
    grouped = library.run(
        library.stage("sort_attribute", field="year"),
        library.stage("feature_search", pre_filters=recent, final_top_k=1, group_by={"field": "topic"}),
    )

    assert [document["year"] for document in grouped["documents"]] == [2023, 2022, 2021]
    assert [(group["group_key"], group["count"]) for group in grouped["groups"]] == [
        ("weather", 1), ("pets", 2), ("fruit", 1),
    ]  # fmt: skip


def test_a_search_that_is_skipped_lets_everything_pass_as_it_was(library: Library) -> None:
    skipped = library.stage("feature_search", searches=[library.search("", on_empty="skip")], final_top_k=3)
    found = library.run(library.stage("feature_search", searches=[library.search()]), skipped)["documents"]
    newest = library.run(library.stage("sort_attribute", field="year"), library.stage("limit", limit=4), skipped)

    assert [document["content"] for document in found] == library.texts(
        library.stage("feature_search", searches=[library.search()], final_top_k=3)
    )
    assert found[0]["score"] == pytest.approx(1.0)
    assert [document["year"] for document in newest["documents"]] == [2023, 2022, 2021]


def test_a_later_search_keeps_what_stages_made_and_its_filters_see_it(library: Library) -> None:
    before = [
        library.stage("feature_search", searches=[library.search()]),
        library.stage("score_normalize", output_field="scores.share", method="min_max"),
        library.join("others", "sku", ["topic"], "joined"),
    ]
    weather = {"field": "joined.topic", "operator": "eq", "value": "weather"}
    words = library.search("cat rain", uri=library.text_uri, top_k=5)
    ways = [
        library.stage("feature_search", searches=[{**words, "filters": weather}]),
        library.stage("feature_search", searches=[words], pre_filters=weather),
        library.stage("feature_search", pre_filters=weather, searches=[words]),
    ]

    for last in ways:
        found = library.run(*before, last)["documents"]
        assert [document["joined"] for document in found] == [{"topic": "weather"}] * 2
        assert all(set(document["features"]) == {library.uri, library.text_uri} for document in found)
        assert all(0.0 <= document["scores"]["share"] <= 1.0 for document in found)


def test_a_query_of_zeros_is_near_nothing_and_that_is_said(library: Library) -> None:
    found = library.run(library.stage("feature_search", searches=[library.search([0.0] * 8)]))

    assert found["documents"] == []
    assert "all zeros" in found["warnings"][0]


def test_two_plugins_are_searched_together(library: Library) -> None:
    stage = library.stage("feature_search", searches=[library.search(uri="*", top_k=2)])
    found = library.run(stage, collection_identifiers=["library", "others"])

    assert [document["content"] for document in found["documents"]] == ["the cat on the mat"] * 2
    assert {uri for document in found["documents"] for uri in document["features"]} == {library.uri, library.other_uri}


@pytest.mark.parametrize(
    ("search", "told"),
    [
        ({"query": [10**400] * 8}, "too large"),
        ({"query": [1e39] * 8}, "too large"),
        ({"min_score": "nan"}, "finite"),
        ({"min_score": "inf"}, "finite"),
        ({"query": "x", "top_k": 10**400}, "top_k"),
    ],
)
def test_numbers_that_cannot_be_compared_with_are_refused(library: Library, search: Any, told: str) -> None:
    stage = library.stage("feature_search", searches=[{**library.search("x"), **search}])

    assert told in library.refused(stage)["message"]
