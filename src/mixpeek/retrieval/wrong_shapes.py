"""Shapes that documents and older clients write for a retriever, each refused with what to write instead.

Read before the models are, so that the hint is about the shape and not about the first key that does not fit.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from mixpeek.errors import InvalidRequest
from mixpeek.retrieval.stages import STAGES
from mixpeek.retrieval.templates import SINGLE_BRACES, texts_of

# Names that documents use for stages that have another name here.
RENAMED = {
    "knn_search": "feature_search",
    "semantic_search": "feature_search",
    "vector_search": "feature_search",
    "hybrid_search": "feature_search",
    "text_search": "feature_search",
    "structured_filter": "attribute_filter",
    "filter": "attribute_filter",
    "sort_by_field": "sort_attribute",
    "sort": "sort_attribute",
    "dedupe": "deduplicate",
    "groupby": "group_by",
}
# Stages of the documented platform that this server does not have.
ABSENT = frozenset(
    (
        *("agent_search", "agentic_enrich", "cluster", "code_execution", "cross_compare", "external_web_search"),
        *("learned_rerank", "llm_enrich", "llm_enrichment", "llm_filter", "moment_group", "query_expand"),
        *("rag_prepare", "score_threshold", "sql_lookup", "summarize", "taxonomy_enrich", "temporal", "unwind"),
        "web_scrape",
    )
)
_SEARCH = (
    '{"searches": [{"feature_uri": "mixpeek://extractor@1.0.0/feature",'
    ' "query": {"input_mode": "text", "value": "{{INPUT.query}}"}, "top_k": 50}], "final_top_k": 10}'
)


def refuse_wrong_shape(body: Mapping[str, Any]) -> None:
    """Raise InvalidRequest, with the right form as its hint, if a body is written as other documents write it."""
    for wrong in ("collection_ids", "collection_id", "collections", "collection_names"):
        if wrong in body and "collection_identifiers" not in body:
            shown = json.dumps(body[wrong] if isinstance(body[wrong], list) else [body[wrong]])
            raise InvalidRequest(
                f"A retriever's collections are not sent as `{wrong}`",
                hint=f'Write "collection_identifiers": {shown}, by id or name; `collection_ids` is what answers carry',
            )
    stages = body.get("stages")
    if isinstance(stages, Mapping):
        raise InvalidRequest("`stages` is a list, in the order they run", hint='Write "stages": [{…}, …]')
    for place, stage in enumerate(stages if isinstance(stages, list) else ()):
        if isinstance(stage, Mapping):
            _refuse_stage(stage, f"stages[{place}]")


def kind_named(stage_id: str, where: str = "config.stage_id") -> Any:
    """Return the stage of this id; raise InvalidRequest, saying what it is called here or what there is."""
    kind = STAGES.get(stage_id)
    if kind is not None:
        return kind
    there_are = f"Stages: {', '.join(sorted(STAGES))}"
    if stage_id in RENAMED:
        right = RENAMED[stage_id]
        raise InvalidRequest(
            f"{where}: there is no stage {stage_id!r}; it is called {right!r}",
            hint=f'Write "stage_id": "{right}", "parameters": {_SEARCH}'
            if right == "feature_search"
            else f'Write "stage_id": "{right}"; GET /v1/retrievers/stages shows its parameters',
        )
    if stage_id in ABSENT:
        raise InvalidRequest(f"{where}: the stage {stage_id!r} is not served here", hint=there_are)
    near = difflib.get_close_matches(stage_id, STAGES, n=1)
    advice = f"Did you mean {near[0]!r}? " if near else ""
    raise InvalidRequest(f"{where}: there is no stage {stage_id!r}", hint=advice + there_are)


def _refuse_stage(stage: Mapping[str, Any], where: str) -> None:
    config = stage.get("config")
    config = config if isinstance(config, Mapping) else {}
    stage_id = config.get("stage_id", stage.get("stage_id"))
    if stage_id is None:
        named = next((stage[key] for key in ("stage_type", "stage_name", "type") if _is_stage(stage.get(key))), None)
        if named is None:
            return  # the model says what is missing
        if named not in STAGES:
            kind_named(named, where)
        raise InvalidRequest(
            f"{where}: a stage says what it is in `config.stage_id`",
            hint=f'Write {{"stage_name": "…", "config": {{"stage_id": "{named}", "parameters": {{…}}}}}}',
        )
    if isinstance(stage_id, str):
        kind_named(stage_id, where)
    parameters = config.get("parameters", stage.get("parameters"))
    if isinstance(parameters, Mapping):
        if stage_id == "feature_search":
            _refuse_search(parameters, f"{where}.config.parameters")
        if stage_id == "attribute_filter":
            _refuse_filter(parameters, f"{where}.config.parameters")
        _refuse_single_braces(parameters, f"{where}.config.parameters")


def _is_stage(value: Any) -> bool:
    return isinstance(value, str) and (value in STAGES or value in RENAMED or value in ABSENT)


def _refuse_search(parameters: Mapping[str, Any], where: str) -> None:
    searches = parameters.get("searches")
    if isinstance(searches, Mapping):
        raise InvalidRequest(f"{where}.searches is a list, with one entry for one search", hint=f"Write {_SEARCH}")
    for place, search in enumerate(searches if isinstance(searches, list) else ()):
        if isinstance(search, Mapping):
            _refuse_one_search(search, f"{where}.searches[{place}]")
    if searches is None:
        for wrong in ("feature_uris", "feature_uri", "feature_address", "feature_addresses", "input_mapping", "input"):
            if wrong in parameters:
                raise InvalidRequest(
                    f"{where}: `{wrong}` does not stand by itself; what is searched goes into `searches`",
                    hint=f"Write {_like(parameters)}",
                )
        if "query" in parameters:
            raise InvalidRequest(f"{where}: a `query` goes into one of `searches`", hint=f"Write {_SEARCH}")
    for wrong in ("limit", "top_k"):
        if wrong in parameters:
            raise InvalidRequest(
                f"{where}: `{wrong}` is `final_top_k` here, and `top_k` in each search",
                hint=f'Write "final_top_k": {json.dumps(parameters[wrong])}',
            )


def _refuse_one_search(search: Mapping[str, Any], where: str) -> None:
    for wrong, right in (("feature_address", "feature_uri"), ("uri", "feature_uri"), ("limit", "top_k")):
        if wrong in search and right not in search:
            raise InvalidRequest(
                f"{where}: `{wrong}` is `{right}` here", hint=f'Write "{right}": {json.dumps(search[wrong])}'
            )
    for wrong in ("input", "inputs", "input_mapping"):
        if wrong in search and "query" not in search:
            raise InvalidRequest(
                f"{where}: what is looked for is sent as `query`, not as `{wrong}`",
                hint='Write "query": {"input_mode": "text", "value": "{{INPUT.query}}"}',
            )


def _like(parameters: Mapping[str, Any]) -> str:
    """Return the right form of a search that was written in another one, as far as that says what it wants."""
    entries = parameters.get("feature_uris", parameters.get("feature_addresses"))
    first: Any = entries[0] if isinstance(entries, list) and entries else parameters
    given = first if isinstance(first, Mapping) else {"uri": first}
    uri = next((given[key] for key in ("feature_uri", "feature_address", "uri") if key in given), None)
    asked = next((given[key] for key in ("input", "query", "input_mapping") if key in given), None)
    text = asked.get("text", asked.get("value")) if isinstance(asked, Mapping) else asked
    search = {
        "feature_uri": uri if isinstance(uri, str) else "mixpeek://extractor@1.0.0/feature",
        "query": {"input_mode": "text", "value": text if isinstance(text, str) else "{{INPUT.query}}"},
    }
    limit = parameters.get("limit", parameters.get("top_k", 10))
    return json.dumps({"searches": [search], "final_top_k": limit if isinstance(limit, int) else 10})


def _refuse_filter(parameters: Mapping[str, Any], where: str) -> None:
    logic = [key for key in ("AND", "OR", "NOT", "filters", "filter") if key in parameters]
    if logic and "conditions" not in parameters:
        inner = parameters[logic[0]] if logic[0].startswith("filter") else {logic[0]: parameters[logic[0]]}
        raise InvalidRequest(
            f"{where}: several conditions go into `conditions`", hint=f'Write "conditions": {json.dumps(inner)[:500]}'
        )


def _refuse_single_braces(parameters: Mapping[str, Any], where: str) -> None:
    for text in texts_of(dict(parameters)):
        found = SINGLE_BRACES.search(text)
        if found is not None:
            raise InvalidRequest(
                f"{where}: {found[0]} is not filled in: a template has two braces",
                hint=f"Write {{{{{found[0].strip('{} ')}}}}}",
            )
