"""Which retrievers are short enough to be executed on the event loop."""

from __future__ import annotations

from typing import Any

import pytest

from mixpeek.retrieval.known_retrievers import is_short

SEARCH = {"feature_uri": "mixpeek://words@1.0.0/vec", "query": "{{INPUT.query}}", "top_k": 10}


def stages(*searches: dict[str, Any], stage_id: str = "feature_search", **parameters: Any) -> list[dict[str, Any]]:
    return [
        {"stage_name": "s", "config": {"stage_id": stage_id, "parameters": {"searches": list(searches), **parameters}}}
    ]


def test_one_search_of_vectors_is_short() -> None:
    assert is_short(stages(SEARCH))
    assert is_short(stages(SEARCH, final_top_k=10, pre_filters={"field": "x", "operator": "eq", "value": 1}))


@pytest.mark.parametrize(
    "longer",
    [
        stages(SEARCH) + stages(SEARCH),
        stages(SEARCH, SEARCH),
        stages(SEARCH, stage_id="attribute_filter"),
        stages({**SEARCH, "top_k": 1000}),
        stages({**SEARCH, "top_k": "{{INPUT.k}}"}),
        stages({**SEARCH, "feature_uri": "mixpeek://words@1.0.0/text"}),
        stages({**SEARCH, "on_empty": "random"}),
        stages(SEARCH, facets=["topic"]),
        stages(SEARCH, group_by={"field": "topic"}),
        stages(),
    ],
)
def test_what_computes_more_is_not(longer: list[dict[str, Any]]) -> None:
    assert not is_short(longer)
