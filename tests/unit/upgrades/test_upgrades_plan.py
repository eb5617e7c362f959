"""What a plan says of features, fields and retrievers, and how rankings are compared."""

from __future__ import annotations

from typing import Any

import pytest

from mixpeek.upgrades.plan import compare_features, compare_fields, effect_on_retriever
from mixpeek.upgrades.ranking import overlap, rank_correlation, spread


def index(name: str, dimensions: int = 8, distance: str = "cosine") -> dict[str, Any]:
    return {"name": name, "dimensions": dimensions, "distance": distance}


def test_each_feature_of_either_version_is_told_with_what_becomes_of_it() -> None:
    before = [index("same"), index("longer"), index("turned"), index("gone")]
    after = [index("same"), index("longer", 16), index("turned", distance="dot"), index("new")]

    told = compare_features(before, after)

    assert [(one["name"], one["change"]) for one in told] == [
        ("same", "same"),
        ("longer", "changed"),
        ("turned", "changed"),
        ("gone", "removed"),
        ("new", "added"),
    ]
    assert told[1]["dimensions"] == {"before": 8, "after": 16}
    assert told[2]["distance"] == {"before": "cosine", "after": "dot"}
    assert told[4]["dimensions"] == {"before": None, "after": 8}


def test_fields_that_come_go_and_change_their_type_are_told() -> None:
    before = {"kept": {"type": "string"}, "gone": {}, "turned": {"type": "string"}}
    after = {"kept": {"type": "string"}, "new": {}, "turned": {"type": "integer"}}

    assert compare_fields(before, after) == {"added": ["new"], "removed": ["gone"], "changed": ["turned"]}


@pytest.mark.parametrize(
    ("uri", "mode", "effect"),
    [
        ("mixpeek://words@1.0.0/kept", "text", "follows"),
        ("mixpeek://words@1.0.0/kept", "vector", "vectors"),
        ("mixpeek://words@1.0.0/gone", "text", "breaks"),
        ("mixpeek://other@1.0.0/gone", "text", "follows"),
        ("mixpeek://no address", "text", "follows"),
    ],
)
def test_a_retriever_follows_unless_what_it_names_is_gone(uri: str, mode: str, effect: str) -> None:
    features = compare_features([index("kept"), index("gone")], [index("kept", 16)])
    search = {"feature_uri": uri, "query": {"input_mode": mode, "value": "{{INPUT.query}}"}}
    stages = [{"stage_name": "s", "config": {"stage_id": "feature_search", "parameters": {"searches": [search]}}}]

    assert effect_on_retriever(stages, features, "words")[0] == effect


def test_overlap_is_the_share_that_both_have_among_their_first() -> None:
    assert overlap("abcd", "abdc", 2) == 1.0
    assert overlap("abcd", "cdab", 2) == 0.0
    assert overlap("abcd", "axyz", 4) == 0.25
    assert overlap("ab", "a", 10) == 0.5
    assert overlap("", "", 10) == 1.0


def test_rank_correlation_is_of_what_both_hold() -> None:
    assert rank_correlation("abcd", "abcd") == 1.0
    assert rank_correlation("abcd", "dcba") == -1.0
    assert rank_correlation("axbyc", "abzc") == 1.0
    assert rank_correlation("abcde", "bacde") == pytest.approx(1 - 6 * 2 / (5 * 24))
    assert rank_correlation("ab", "bc") is None


def test_a_spread_tells_the_mean_the_lowest_tenth_and_the_least() -> None:
    assert spread([]) is None
    assert spread([n / 20 for n in range(1, 21)]) == {"mean": 0.525, "p10": 0.1, "min": 0.05}
