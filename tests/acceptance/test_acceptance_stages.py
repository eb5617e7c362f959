"""The stages beside the search, on a real server, over one small collection."""

from __future__ import annotations

from typing import Any

import pytest

from factories.library import ROWS, Library


def test_filter_sort_and_limit_are_left_to_the_store_together(library: Library) -> None:
    stages = [
        library.stage("attribute_filter", field="year", operator="gte", value=2019),
        library.stage("sort_attribute", field="year", direction="desc"),
        library.stage("limit", limit=2, offset=1),
    ]
    found = library.run(*stages)

    assert [document["year"] for document in found["documents"]] == [2022, 2021]
    assert found["optimization_summary"]["left_to_store"] == [stage["stage_name"] for stage in stages]


OPERATORS: list[tuple[str, str, Any, set[int]]] = [
    ("year", "eq", 2019, {0}),
    ("year", "ne", 2019, {1, 2, 3, 4, 5}),
    ("year", "gt", 2022, {5}),
    ("year", "lt", 2019, {4}),
    ("year", "gte", 2022, {3, 5}),
    ("year", "lte", 2018, {4}),
    ("topic", "in", ["fruit", "Pets"], {0, 1}),
    ("topic", "nin", ["fruit", "pets"], {4, 5}),
    ("content", "contains", "cat", {2, 3}),
    ("content", "starts_with", "the", {2, 3}),
    ("content", "ends_with", "north", {4, 5}),
    ("content", "regex", "^(red|green) apples", {0, 1}),
    ("sku", "exists", True, {0, 1, 2, 3, 4, 5}),
    ("sku", "is_null", True, set()),
    ("content", "text", "north rain", {4, 5}),
]


@pytest.mark.parametrize(("field", "operator", "value", "passing"), OPERATORS)
def test_an_operator_means_the_same_within_the_store_and_behind_a_search(
    library: Library, field: str, operator: str, value: Any, passing: set[int]
) -> None:
    wanted = library.stage("attribute_filter", field=field, operator=operator, value=value)
    search = library.stage("feature_search", searches=[library.search()])

    for stages in ([wanted], [wanted, search], [search, wanted]):
        assert set(library.texts(*stages)) == {ROWS[n][0] for n in passing}


def test_a_filter_may_ignore_case_and_nest(library: Library) -> None:
    conditions = {"AND": [{"field": "topic", "operator": "eq", "value": "PETS"}], "NOT": [{"year": 2020}]}

    assert library.texts(library.stage("attribute_filter", conditions=conditions)) == []
    stage = library.stage("attribute_filter", conditions=conditions, case_insensitive=True)
    assert library.texts(stage) == ["the dog and the cat"]


def test_a_filter_can_look_at_scores(library: Library) -> None:
    stages = [
        library.stage("feature_search", searches=[library.search()]),
        library.stage("attribute_filter", field="score", operator="gt", value=0.999),
    ]

    assert library.texts(*stages) == ["the cat on the mat"]


def test_scores_are_normalised_and_sorted_by(library: Library) -> None:
    stages = [
        library.stage("feature_search", searches=[library.search()]),
        library.stage("score_normalize", output_field="scores.share", method="softmax"),
        library.stage("sort_relevance", score_field="scores.share", direction="asc"),
    ]
    documents = library.run(*stages)["documents"]

    shares = [document["scores"]["share"] for document in documents]
    assert sum(shares) == pytest.approx(1.0)
    assert shares == sorted(shares)
    assert documents[-1]["content"] == "the cat on the mat"


def test_documents_are_reranked_by_a_deployed_plugin(library: Library) -> None:
    stages = [
        library.stage("attribute_filter", field="year", operator="gte", value=2018),
        library.stage("rerank", inference_name="overlap", top_k=2, batch_size=2),
    ]
    documents = library.run(*stages, query="rain in the north")["documents"]

    assert [document["scores"]["rerank"] for document in documents] == [4.0, 4.0]
    assert {document["topic"] for document in documents} == {"weather"}
    error = library.refused(library.stage("rerank", inference_name="BAAI__bge_reranker_v2_m3"))
    assert "no reranker" in error["message"]


def test_results_are_diversified_by_vectors_or_by_fields(library: Library) -> None:
    search = library.stage("feature_search", searches=[library.search()])
    by_field = library.stage("mmr", **{"lambda": 0.3, "diversity_fields": ["topic"], "top_k": 3})
    by_vector = library.stage("mmr", **{"lambda": 1.0, "top_k": 2})

    assert {document["topic"] for document in library.run(search, by_field)["documents"]} == {
        "fruit", "pets", "weather",
    }  # fmt: skip
    assert library.texts(search, by_vector) == library.texts(search)[:2]


def test_documents_are_sampled_deduplicated_and_grouped(library: Library) -> None:
    everything = library.stage("sort_attribute", field="year", direction="asc")
    drawn = [library.stage("sample", count=3, strategy="stratified", stratify_by="topic", seed=7)]

    assert {document["topic"] for document in library.run(*drawn)["documents"]} == {"fruit", "pets", "weather"}
    assert library.texts(*drawn) == library.texts(*drawn)
    first = library.run(everything, library.stage("deduplicate", field="topic"))["documents"]
    assert [document["year"] for document in first] == [2018, 2019, 2020]
    alike = library.run(everything, library.stage("deduplicate", feature_uri=library.uri, threshold=-1.0))
    assert len(alike["documents"]) == 1
    grouped = library.run(everything, library.stage("group_by", field="topic", max_per_group=1))
    assert [group["count"] for group in grouped["groups"]] == [2, 2, 2]
    assert [document["group_key"] for document in grouped["documents"]] == ["weather", "fruit", "pets"]


def test_figures_are_told_by_stage(library: Library) -> None:
    stage = library.stage(
        "aggregate",
        group_by=[{"field": "topic"}],
        aggregations=[
            {"function": "count", "alias": "n"},
            {"function": "avg", "field": "year", "alias": "mean"},
            {"function": "max", "field": "year", "alias": "latest"},
            {"function": "collect_distinct", "field": "sku", "alias": "skus"},
        ],
        sort_by="latest",
        limit=2,
    )
    found = library.run(stage)

    assert found["documents"] == []
    assert [(row["topic"], row["n"], row["mean"]) for row in found["aggregations"][stage["stage_name"]]] == [
        ("weather", 2, 2020.5),
        ("pets", 2, 2021.0),
    ]


def test_documents_are_written_anew_by_a_template(library: Library) -> None:
    template = '{"title": {{ DOC.content | upper | tojson }}, "asked": "{{ INPUT.query }}"}'
    search = library.stage("feature_search", searches=[library.search()])
    stages = [search, library.stage("json_transform", template=template)]

    best = library.run(*stages)["documents"][0]

    assert (best["title"], best["asked"]) == ("THE CAT ON THE MAT", "the cat on the mat")
    assert "content" not in best
    assert best["score"] == pytest.approx(1.0)
    broken = library.run(stages[0], library.stage("json_transform", template='{"a": {{ DOC.nothing_there }}}'))
    assert (broken["documents"], len(broken["warnings"])) == ([], 1)


def test_documents_are_enriched_by_a_join_and_by_a_retriever(library: Library) -> None:
    joined = library.join("library", "sku", ["topic"], "found.same")
    retrieved = library.stage(
        "document_enrich",
        retriever_config={
            "collection_identifiers": ["library"],
            "stages": [library.stage("feature_search", searches=[library.search("{{INPUT.about}}", top_k=1)])],
        },
        retriever_inputs={"about": "{{DOC.content}}"},
        output_field="nearest",
    )
    found = library.run(library.stage("limit", limit=2), joined, retrieved)

    for document in found["documents"]:
        assert document["found"]["same"] == {"topic": document["topic"]}
        assert document["nearest"]["content"] == document["content"]


def test_only_listed_public_hosts_are_called(library: Library) -> None:
    def call(**parameters: Any) -> Any:
        return library.stage("api_call", **{"allowed_domains": ["127.0.0.1"], **parameters})

    elsewhere = library.refused(call(url="https://evil.example/{{DOC.sku}}"))
    inside = library.run(library.stage("limit", limit=1), call(url="http://127.0.0.1:9/{{DOC.sku}}"))
    failed = library.http.post(
        "/retrievers/execute",
        json={
            "collection_identifiers": ["library"],
            "stages": [library.stage("limit", limit=1), call(url="http://127.0.0.1:9/", on_error="raise")],
        },
    )

    assert "not in `allowed_domains`" in elsewhere["message"]
    assert "refused" in inside["warnings"][0]
    assert "api_response" not in inside["documents"][0].get("metadata", {})
    assert (failed.status_code, failed.json()["error"]["code"]) == (400, "retriever.outside_failed")


def test_documents_of_different_plugins_are_not_compared_with_each_other(library: Library) -> None:
    both = {"collection_identifiers": ["library", "others"]}
    search = library.stage("feature_search", searches=[library.search(uri="*")])
    alike = [
        library.run(search, library.stage("deduplicate", feature_uri=uri, threshold=-1.0), **both)
        for uri in ("*", library.uri)
    ]
    diverse = library.run(search, library.stage("mmr", **{"lambda": 0.3, "top_k": 2}), **both)

    # One is left of each space; what has no vector in the only one repeats nothing.
    assert [len(found["documents"]) for found in alike] == [2, 7]
    assert len({document["collection_id"] for document in diverse["documents"]}) == 2
    refused = library.refused(search, library.stage("deduplicate", feature_uri=library.text_uri))
    assert "no vectors to compare" in refused["message"]


def test_groups_keep_the_order_that_stages_before_made(library: Library) -> None:
    search = library.stage("feature_search", searches=[library.search()])
    by_topic = library.stage("group_by", field="topic", max_per_group=1)

    newest = library.run(search, library.stage("sort_attribute", field="year"), by_topic)["documents"]
    reranked = library.run(search, library.stage("rerank", inference_name="overlap", query="rain sun"), by_topic)

    assert [document["year"] for document in newest] == [2023, 2022, 2021]
    assert reranked["documents"][0]["content"] == "sun in the south and rain in the north"


def test_what_an_answer_says_itself_cannot_be_written_over(library: Library) -> None:
    join = {"target_collection_id": "library", "source_field": "sku", "target_field": "sku"}
    stages = [
        library.stage("document_enrich", **join, output_field="document_id"),
        library.stage("document_enrich", **join, output_field="score"),
        library.stage("document_enrich", **join, fields_to_merge=["document_id"]),
        library.stage("api_call", url="https://a.example", allowed_domains=["a.example"], output_field="_internal.x"),
        library.stage("rerank", inference_name="overlap", score_field="document_id"),
        library.stage("mmr", mmr_score_field="features"),
        library.stage("score_normalize", score_field="scores"),
        library.stage("score_normalize", output_field="a..b"),
    ]

    for stage in stages:
        assert library.refused(stage)["details"]["validation_errors"], stage
    nested = library.stage("document_enrich", **join, fields_to_merge=["document_id"], output_field="same")
    assert all(one["same"] == {"document_id": one["document_id"]} for one in library.run(nested)["documents"])


def test_a_join_finds_an_equal_list(library: Library) -> None:
    join = library.join("others", "tags", ["content"], "same")
    filled = library.stage("attribute_filter", field="tags.0", operator="exists", value=True)

    found = library.run(filled, join)["documents"]

    assert len(found) == 5
    assert all(document["same"] == {"content": document["content"]} for document in found)


@pytest.mark.parametrize(
    "template",
    ['{"n": 1e999}', "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", '{"a": {{ "a".ljust(10 * 100000000) }}}'],
)
def test_a_document_that_cannot_be_written_is_left_out_and_told(library: Library, template: str) -> None:
    found = library.run(library.stage("limit", limit=1), library.stage("json_transform", template=template))

    assert (found["documents"], len(found["warnings"])) == ([], 1)
    failing = library.stage("json_transform", template=template, fail_on_error=True)
    assert library.refused(failing)["code"] in ("request.invalid", "retriever.reference_missing")


def test_an_address_without_a_right_port_is_refused(library: Library) -> None:
    call = library.stage("api_call", url="https://a.example:99999/", allowed_domains=["a.example"])

    assert "no address" in library.refused(call)["message"]
