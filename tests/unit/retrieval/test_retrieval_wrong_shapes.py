"""Every shape that documents and older clients write for a retriever is refused with what to write instead."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mixpeek.errors import InvalidRequest
from mixpeek.retrieval.schemas import CreateRetriever, Execute, ExecuteAdHoc, Pagination

URI = "mixpeek://words@1.0.0/vec"
SEARCH = {"searches": [{"feature_uri": URI, "query": "{{INPUT.query}}"}]}


def retriever(stage: Any, **fields: Any) -> dict[str, Any]:
    return {"retriever_name": "near", "collection_identifiers": ["words"], "stages": [stage], **fields}


def flat(stage_id: str, parameters: Any) -> dict[str, Any]:
    return {"stage_name": "s", "stage_id": stage_id, "parameters": parameters}


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "collection_ids",
        {"retriever_name": "near", "collection_ids": ["words"], "stages": [flat("feature_search", SEARCH)]},
        "not sent as `collection_ids`",
        '"collection_identifiers": ["words"]',
    ),
    (
        "one feature beside its input",
        retriever(flat("feature_search", {"feature_uri": URI, "input": {"text": "{{INPUT.q}}"}, "limit": 5})),
        "`feature_uri` does not stand by itself",
        '"searches": [{"feature_uri": "mixpeek://words@1.0.0/vec", "query": {"input_mode": "text",'
        ' "value": "{{INPUT.q}}"}}], "final_top_k": 5',
    ),
    (
        "feature_uris",
        retriever(flat("feature_search", {"feature_uris": [{"uri": URI, "input": {"text": "cats"}}], "limit": 7})),
        "`feature_uris` does not stand by itself",
        '"value": "cats"}}], "final_top_k": 7',
    ),
    (
        "knn_search",
        retriever({"stage_name": "knn_search", "feature_address": URI, "input_mapping": {"text": "q"}, "limit": 10}),
        "it is called 'feature_search'",
        '"stage_id": "feature_search"',
    ),
    (
        "semantic_search",
        retriever({"stage_type": "semantic_search", "parameters": {"query": "x"}}),
        "it is called 'feature_search'",
        '"searches": [',
    ),
    (
        "feature_address in a search",
        retriever(flat("feature_search", {"searches": [{"feature_address": URI, "query": "x"}]})),
        "`feature_address` is `feature_uri` here",
        f'"feature_uri": "{URI}"',
    ),
    (
        "feature_address beside searches",
        retriever(flat("feature_search", {"feature_address": URI, "input_mapping": {"text": "q"}})),
        "`feature_address` does not stand by itself",
        URI,
    ),
    (
        "input in a search",
        retriever(flat("feature_search", {"searches": [{"feature_uri": URI, "input": {"text": "x"}}]})),
        "sent as `query`, not as `input`",
        '"query": {"input_mode": "text"',
    ),
    (
        "limit of a search",
        retriever(flat("feature_search", {**SEARCH, "limit": 3})),
        "`limit` is `final_top_k` here",
        '"final_top_k": 3',
    ),
    (
        "searches as an object",
        retriever(flat("feature_search", {"searches": SEARCH["searches"][0]})),
        "searches is a list",
        '"searches": [',
    ),
    (
        "a stage named by its type",
        retriever({"stage_name": "s", "stage_type": "feature_search", "parameters": SEARCH}),
        "says what it is in `config.stage_id`",
        '"stage_id": "feature_search"',
    ),
    ("a stage that is not served", retriever(flat("llm_filter", {})), "is not served here", "feature_search"),
    ("a misspelt stage", retriever(flat("feature_serach", {})), "there is no stage", "Did you mean 'feature_search'?"),
    (
        "logic beside conditions",
        retriever(flat("attribute_filter", {"AND": [{"field": "a", "value": 1}]})),
        "several conditions go into `conditions`",
        '"conditions": {"AND": [{"field": "a", "value": 1}]}',
    ),
    (
        "single braces",
        retriever(flat("feature_search", {"searches": [{"feature_uri": URI, "query": "{INPUT.query}"}]})),
        "{INPUT.query} is not filled in",
        "{{INPUT.query}}",
    ),
    ("stages as an object", {"retriever_name": "near", "stages": {"a": 1}}, "`stages` is a list", '"stages": ['),
]


@pytest.mark.parametrize(("body", "message", "hint"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
@pytest.mark.parametrize("model", [CreateRetriever, ExecuteAdHoc])
def test_a_wrong_shape_is_refused_with_the_right_one(model: Any, body: Any, message: str, hint: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        model.model_validate(body)

    assert message in refused.value.message
    assert hint in (refused.value.hint or "")
    assert refused.value.status == 422


NESTED = {"stage_name": "s", "config": {"stage_id": "feature_search", "parameters": SEARCH}}


@pytest.mark.parametrize(
    "stage",
    [
        NESTED,
        flat("feature_search", SEARCH),
        {"stage_name": "s", "stage_type": "filter", "config": NESTED["config"]},
    ],
)
def test_a_stage_may_be_written_flat(stage: Any) -> None:
    made = CreateRetriever.model_validate(retriever(stage))

    assert (made.stages[0].config.stage_id, made.stages[0].config.parameters) == ("feature_search", SEARCH)


def test_stages_without_names_are_named_after_what_they_do() -> None:
    unnamed = {"stage_type": "filter", "stage_id": "feature_search", "parameters": SEARCH}

    made = CreateRetriever.model_validate({**retriever(unnamed), "stages": [unnamed, unnamed]})

    assert [stage.stage_name for stage in made.stages] == ["feature_search", "feature_search_2"]


@pytest.mark.parametrize(
    "schema",
    [
        {"query": {"type": "text", "required": True}},
        {"properties": {"query": {"type": "text", "required": True}}},
        {"type": "object", "properties": {"query": {"type": "text"}}, "required": ["query"]},
    ],
)
def test_inputs_are_declared_bare_or_wrapped(schema: Any) -> None:
    made = CreateRetriever.model_validate(retriever(NESTED, input_schema=schema))

    assert (made.input_schema["query"].type, made.input_schema["query"].required) == ("text", True)


def test_an_input_may_be_called_properties() -> None:
    made = CreateRetriever.model_validate(retriever(NESTED, input_schema={"properties": {"type": "object"}}))

    assert list(made.input_schema) == ["properties"]


def test_two_stages_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two stages are named 's'"):
        CreateRetriever.model_validate({**retriever(NESTED), "stages": [NESTED, NESTED]})


def test_what_is_not_carried_out_is_told() -> None:
    body = Execute.model_validate({"input": {"a": 1}, "filters": {}, "limit": 3, "explain": True, "return_urls": True})

    assert body.inputs == {"a": 1}
    assert body.return_presigned_urls is True
    assert [warning.split()[0] for warning in body.ignored()] == ["`filters`", "`limit`", "`explain`"]


@pytest.mark.parametrize(
    ("sent", "method", "size"),
    [
        ({}, "cursor", 10),
        ({"limit": 20}, "cursor", 20),
        ({"page_number": 2}, "offset", 10),
        ({"method": "offset", "page_size": 5, "page_number": 1}, "offset", 5),
        ({"after": {"document_id": "d"}}, "keyset", 10),
        ({"method": "scroll"}, "scroll", 100),
        ({"method": "scroll", "limit": 1000}, "scroll", 1000),
    ],
)
def test_a_page_is_asked_for_by_its_keys(sent: Any, method: str, size: int) -> None:
    page = Pagination.model_validate(sent)

    assert (page.method, page.size) == (method, size)


def test_only_a_scroll_has_large_pages() -> None:
    with pytest.raises(ValidationError, match="500 documents at most"):
        Pagination.model_validate({"limit": 501})
