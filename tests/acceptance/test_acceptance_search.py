"""Retrievers on a real server: every stage, every way to ask, and pages, over one small collection."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from factories.platform import publish, run_batch, unique
from factories.plugins import write_plugin
from factories.servers import API_KEY, Server
from mixpeek import Mixpeek
from mixpeek.client import ApiError

SCHEMA = {
    "properties": {
        "content": {"type": "text", "required": True},
        "topic": {"type": "string"},
        "year": {"type": "integer"},
        "tags": {"type": "array"},
        "sku": {"type": "string"},
    }
}
ROWS = [
    ("red apples and green pears", "fruit", 2019, ["a", "b"]),
    ("green apples in a basket", "fruit", 2021, ["b"]),
    ("the cat on the mat", "pets", 2020, ["c"]),
    ("the dog and the cat", "pets", 2022, ["c", "a"]),
    ("rain in the north", "weather", 2018, []),
    ("sun in the south and rain in the north", "weather", 2023, ["d"]),
]
# Scores a text by the words it shares with the query.
RERANKER = """
words = set(request['query'].split())
return {'scores': [float(len(words & set(text.split()))) for text in request['documents']]}
"""


@dataclass
class Library:
    """A namespace with a filled collection, and ways to ask it."""

    client: Mixpeek
    http: httpx.Client
    collection: Any
    uri: str

    @property
    def text_uri(self) -> str:
        return f"{self.uri.rpartition('/')[0]}/text"

    def search(self, query: Any = "{{INPUT.query}}", *, uri: str | None = None, **fields: Any) -> dict[str, Any]:
        return {"feature_uri": uri or self.uri, "query": query, **fields}

    def stage(self, stage_id: str, /, pre_filters: Any = None, post_filters: Any = None, **parameters: Any) -> Any:
        config: dict[str, Any] = {"stage_id": stage_id, "parameters": parameters}
        config |= {"pre_filters": pre_filters} if pre_filters else {}
        config |= {"post_filters": post_filters} if post_filters else {}
        return {"stage_name": unique(stage_id), "config": config}

    def run(self, *stages: Any, query: str = "the cat on the mat", **body: Any) -> Any:
        """Run stages that are not kept and return the answer."""
        inputs = {"query": query, **body.pop("inputs", {})}
        answer = self.http.post(
            "/retrievers/execute",
            json={
                "collection_identifiers": [self.collection.collection_id],
                "stages": list(stages),
                "inputs": inputs,
                **body,
            },
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def texts(self, *stages: Any, **more: Any) -> list[str]:
        return [document["content"] for document in self.run(*stages, **more)["documents"]]

    def refused(self, *stages: Any, **body: Any) -> dict[str, Any]:
        answer = self.http.post(
            "/retrievers/execute",
            json={
                "collection_identifiers": [self.collection.collection_id],
                "stages": list(stages),
                "inputs": {"query": "x"},
                **body,
            },
        )
        assert answer.status_code == 422, answer.text
        error: dict[str, Any] = answer.json()["error"]
        return error


@pytest.fixture(scope="module")
def library(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A collection of six documents made by a plugin that counts words, and a plugin that scores texts."""
    plugins = tmp_path_factory.mktemp("plugins")
    with server.client() as client:
        publish(client, write_plugin(plugins / "small_words"))
        publish(client, write_plugin(plugins / "overlap", predict=RERANKER), deploy=True)
        bucket = client.buckets.create(bucket_name=unique("library"), bucket_schema=SCHEMA).bucket_id
        client.objects.create_batch(
            bucket,
            [
                {"content": text, "topic": topic, "year": year, "tags": tags, "sku": f"s{n}"}
                for n, (text, topic, year, tags) in enumerate(ROWS)
            ],
        )
        collection = client.collections.create(
            collection_name="library",
            source={"type": "bucket", "bucket_ids": [bucket]},
            feature_extractor={
                "feature_extractor_name": "small_words",
                "version": "1.0.0",
                "input_mappings": {"text": "content"},
                "field_passthrough": ["content", "topic", "year", "tags", "sku"],
            },
        )
        assert run_batch(client, collection).status == "COMPLETED"
        headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
        with httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=60, verify=False) as http:
            yield Library(client, http, collection, collection["vector_indexes"][0]["feature_uri"])


# feature_search ------------------------------------------------------------------------------------------------------


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


# the other stages ----------------------------------------------------------------------------------------------------


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
    joined = library.stage(
        "document_enrich",
        target_collection_id="library",
        source_field="sku",
        target_field="sku",
        fields_to_merge=["topic"],
        output_field="found.same",
    )
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


# pages, streams, plans -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["cursor", "offset", "keyset", "scroll"])
def test_pages_of_every_method_hold_each_document_once(library: Library, method: str) -> None:
    stage = library.stage("feature_search", searches=[library.search()])
    whole = [document["document_id"] for document in library.run(stage)["documents"]]
    seen: list[str] = []
    wanted: dict[str, Any] = {"method": method, "limit": 4}
    for _ in range(3):
        found = library.run(stage, pagination=wanted)
        seen += [document["document_id"] for document in found["documents"]]
        page = found["pagination"]
        assert page["total"] == 6
        if not page["has_next"]:
            break
        following = {
            "cursor": {"cursor": page["next_cursor"]},
            "offset": {"page_number": page["next_page"]},
            "keyset": {"after": page["after"]},
            "scroll": {"scroll_id": page["scroll_id"]},
        }
        wanted = {**wanted, **following[method]}

    assert seen == whole


def test_a_cursor_of_other_inputs_is_refused(library: Library) -> None:
    stage = library.stage("feature_search", searches=[library.search()])
    cursor = library.run(stage, pagination={"limit": 1})["pagination"]["next_cursor"]

    error = library.refused(stage, pagination={"limit": 1, "cursor": cursor})

    assert "other inputs" in error["message"]


@pytest.fixture(scope="module")
def kept(library: Library) -> str:
    """A retriever that is kept, by its name."""
    library.client.retrievers.create(
        "by_meaning",
        [
            library.stage("feature_search", searches=[library.search()]),
            library.stage("limit", limit="{{INPUT.most}}"),
        ],
        collection_identifiers=["library"],
        input_schema={"query": {"type": "text", "required": True}, "most": {"type": "integer", "default": 3}},
    )
    return "by_meaning"


def test_a_stream_tells_of_each_stage_and_ends_with_the_answer(library: Library, kept: str) -> None:
    events = list(library.client.retrievers.stream(kept, {"query": "the cat on the mat"}))

    assert [event["event_type"] for event in events] == [
        "stage_start", "stage_complete", "stage_start", "stage_complete", "execution_complete",
    ]  # fmt: skip
    assert events[-1]["documents"][0]["content"] == "the cat on the mat"
    assert events[1]["statistics"]["output_count"] == 6


def test_a_stream_ends_with_the_error_that_ended_it(library: Library) -> None:
    body = {
        "collection_identifiers": ["library"],
        "stages": [library.stage("feature_search", searches=[library.search("")])],
        "stream": True,
    }
    with library.http.stream("POST", "/retrievers/execute", json=body) as answer:
        lines = [line for line in answer.iter_lines() if line.startswith("event:")]

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert lines == ["event: stage_start", "event: stage_error", "event: execution_error"]


def test_a_plan_says_what_a_retriever_does(library: Library, kept: str) -> None:
    library.client.retrievers.execute(kept, {"query": "rain"})

    plan = library.client.retrievers.explain(kept, {"query": "rain"})

    assert [stage["stage_type"] for stage in plan["execution_plan"]] == ["filter", "reduce"]
    assert plan["execution_plan"][0]["estimated_input"] == 6
    assert plan["execution_plan"][0]["estimated_duration_ms"] > 0


def test_what_does_not_belong_beside_inputs_is_warned_about(library: Library, kept: str) -> None:
    body = {"input": {"query": "rain"}, "filters": {"a": 1}, "limit": 2, "session_id": "s", "return_urls": True}
    answer = library.http.post(f"/retrievers/{kept}/execute", json=body).raise_for_status().json()

    assert len(answer["documents"]) == 3
    assert [warning.split()[0] for warning in answer["warnings"]] == ["`filters`", "`limit`", "`session_id`"]


def test_an_execution_that_takes_too_long_is_ended(library: Library) -> None:
    answer = library.http.post(
        "/retrievers/execute",
        json={
            "collection_identifiers": ["library"],
            "stages": [library.stage("feature_search", searches=[library.search()])],
            "inputs": {"query": unique("something new")},
            "budget_limits": {"max_time_ms": 1},
        },
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "retriever.over_budget")


# kept retrievers -----------------------------------------------------------------------------------------------------


def test_a_retriever_is_renamed_cloned_and_deleted(library: Library, kept: str) -> None:
    retrievers = library.client.retrievers
    name = unique("clone")

    cloned = retrievers.clone(kept, name, stages=[library.stage("feature_search", searches=[library.search()])])
    changed = retrievers.update(name, description="By meaning", tags=["demo"])
    versions = retrievers.versions(name)["results"]
    with pytest.raises(ApiError) as refused:
        retrievers.update(name, stages=[])
    with pytest.raises(ApiError) as fixed:
        retrievers.update(name, stages=[library.stage("limit")])
    deleted = retrievers.delete(name)

    assert (cloned["source_retriever_id"], len(cloned["retriever"]["stages"])) == (
        retrievers.get(kept)["retriever_id"],
        1,
    )
    assert (changed["retriever"]["version"], changed["retriever"]["tags"]) == (2, ["demo"])
    assert [(each["version"], each["description"]) for each in versions] == [(2, "By meaning"), (1, None)]
    assert "clone" in str(fixed.value.hint)
    assert refused.value.status == 422
    assert deleted["retriever_id"] == cloned["retriever_id"]
    with pytest.raises(ApiError, match="No retriever"):
        retrievers.get(name)


def test_every_stage_has_a_schema_of_its_parameters(library: Library) -> None:
    stages = {stage["stage_id"]: stage for stage in library.client.retrievers.stages()}

    assert len(stages) == 15
    assert all(stage["parameter_schema"]["properties"] for stage in stages.values())


Command = Callable[..., Any]


def test_the_command_searches_and_runs(library: Library, server: Server, tmp_path: Any) -> None:
    from factories.commands import run_command

    settings = {
        "MIXPEEK_API_KEY": API_KEY,
        "MIXPEEK_BASE_URL": server.url,
        "MIXPEEK_NAMESPACE": library.client.namespace or "",
    }
    file = tmp_path / "rainy.json"
    stage = library.stage("feature_search", searches=[library.search(uri=library.text_uri)])
    file.write_text(json.dumps({"name": "rainy", "collection_identifiers": ["library"], "stages": [stage]}))

    def run(*arguments: str) -> Any:
        return run_command(*arguments, cwd=tmp_path, **settings)

    found = run("search", "the cat on the mat", "-c", "library", "-l", "2", "-f", "year>=2020", "--explain")
    as_json = run("search", "rain", "-c", "library", "--mode", "text", "--json")
    made = run("retriever", "create", "-f", str(file))
    ran = run("retriever", "run", "rainy", "query=rain")

    assert found.out.splitlines()[0].split() == ["SCORE", "[1]", "[2]", "ID", "TEXT"]
    assert found.out.splitlines()[1].endswith("the cat on the mat")
    assert len([line for line in found.out.splitlines() if "doc_" in line]) == 2
    assert [document["topic"] for document in as_json.json["documents"]] == ["weather", "weather"]
    assert made.out.startswith("ret_")
    assert "rain in the north" in ran.out
    assert "rainy" in run("retriever", "list").out
    assert "feature_search" in run("retriever", "show", "rainy").out
    assert run("retriever", "delete", "rainy").code == 0
