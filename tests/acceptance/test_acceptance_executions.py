"""Executions on a real server: pages, streams, plans and budgets, over one small collection."""

from __future__ import annotations

from typing import Any

import pytest

from factories.library import Library
from factories.platform import unique


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


def test_a_scroll_keeps_the_size_of_its_pages_and_refuses_what_is_no_marker(library: Library) -> None:
    stage = library.stage("sort_attribute", field="year", direction="asc")
    first = library.run(stage, pagination={"method": "scroll", "limit": 2})["pagination"]
    second = library.run(stage, pagination={"method": "scroll", "scroll_id": first["scroll_id"]})
    scroll = first["scroll_id"].partition(":")[0]

    assert [document["year"] for document in second["documents"]] == [2020, 2021]
    assert second["pagination"]["has_next"]
    for marker in (f"{scroll}:²:2", f"{scroll}:2:0", f"{scroll}:2:9999", scroll, f"{scroll}:-1:2"):
        error = library.refused(stage, pagination={"method": "scroll", "scroll_id": marker})
        assert "no such scroll" in error["message"]


def test_a_cursor_over_other_collections_is_refused(library: Library) -> None:
    stage = library.stage("sort_attribute", field="year")
    cursor = library.run(stage, inputs={"query": "x"}, pagination={"limit": 1})["pagination"]["next_cursor"]

    error = library.refused(stage, collection_identifiers=["others"], pagination={"limit": 1, "cursor": cursor})

    assert "another retriever" in error["message"]


def test_collections_are_read_in_one_order_together(library: Library) -> None:
    stages = [library.stage("sort_attribute", field="year"), library.stage("limit", limit=3, offset=1)]
    sorted_ones = library.run(*stages, collection_identifiers=["library", "others"])["documents"]
    every = library.stage("limit", limit=100)
    others, own = (library.run(every, collection_identifiers=[name])["documents"] for name in ("others", "library"))
    together = library.run(every, collection_identifiers=["others", "library"])["documents"]

    assert [document["year"] for document in sorted_ones] == [2023, 2022, 2022]
    assert together == [*others, *own]


def test_a_retriever_within_another_keeps_its_budget_and_tells_its_warnings(library: Library) -> None:
    def enriched(**config: Any) -> dict[str, Any]:
        recipe = {
            "collection_identifiers": ["library"],
            "stages": [library.stage("feature_search", searches=[library.search("", on_empty="skip")])],
            **config,
        }
        stages = [library.stage("limit", limit=1), library.stage("document_enrich", retriever_config=recipe)]
        answer = library.http.post(
            "/retrievers/execute", json={"collection_identifiers": ["library"], "stages": stages, "inputs": {}}
        )
        body: dict[str, Any] = answer.json()
        return body

    slow = [library.stage("feature_search", searches=[library.search(unique("asked for the first time"))])]

    assert "nothing was looked for" in enriched()["warnings"][0]
    assert enriched(stages=slow, budget_limits={"max_time_ms": 1})["error"]["code"] == "retriever.over_budget"


@pytest.mark.parametrize("kind", ["integer", "text", "number"])
def test_an_input_that_is_too_large_a_number_is_no_fault_of_ours(library: Library, kind: str) -> None:
    answer = library.http.post(
        "/retrievers/execute",
        json={
            "collection_identifiers": ["library"],
            "stages": [library.stage("limit", limit=1)],
            "input_schema": {"n": {"type": kind}},
            "inputs": {"n": 10**400},
        },
    )

    assert answer.status_code == (422 if kind == "text" else 200)


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


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/retrievers/execute", {"inputs": {"query": "the cat"}}),
        ("/retrievers/execute", {"inputs": {"query": "the cat"}, "return_vectors": True}),
        ("/retrievers/execute", {"inputs": {"query": "the cat"}, "pagination": {"cursor": "of nothing"}}),
        ("/retrievers/execute", {"inputs": {"query": 1}}),
        ("/retrievers/execute", {"inputs": {"query": "the cat"}, "collection_identifiers": ["nowhere"]}),
        ("/retrievers/nowhere/execute", {"inputs": {"query": "the cat"}}),
    ],
)
def test_an_execution_is_answered_alike_in_front_of_the_framework_and_behind(
    library: Library, path: str, body: dict[str, Any]
) -> None:
    if path == "/retrievers/execute":
        stage = library.stage("feature_search", searches=[library.search()])
        own = {"collection_identifiers": [library.collection.collection_id], "stages": [stage]}
        body = {**own, **body}

    def told(**headers: str) -> tuple[int, set[str], Any]:
        answer = library.http.post(path, json=body, headers={"X-Request-Id": "alike", **headers})
        content = answer.json()
        for own_or_timed in ("execution_id", "stage_statistics", "budget"):
            content.pop(own_or_timed, None)
        return answer.status_code, set(answer.headers), content

    # Whoever reads from the primary is left to the framework; the caller is remembered by then.
    behind = told(**{"X-Read-From": "primary"})

    assert told() == behind
