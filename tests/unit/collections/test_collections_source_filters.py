"""Which sources a collection takes: the filters it serves, and those it refuses by name."""

from __future__ import annotations

from typing import Any

import pytest

from mixpeek.collections.source_filters import check_filters, matches
from mixpeek.errors import InvalidRequest

FIELDS = {"topic": "Physics", "year": 1998, "tags": ["a", "B"], "place": {"city": "Paris"}, "empty": None}


def where(field: str, operator: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"field": "topic", "value": "physics"}, True),
        ({"field": "metadata.topic", "value": "physics"}, True),
        ({"case_sensitive": True, "AND": [where("topic", "eq", "physics")]}, False),
        (where("topic", "ne", "music"), True),
        (where("year", "gte", 1998), True),
        (where("year", "gt", 1998), False),
        (where("year", "lt", "2000"), False),
        (where("place.city", "in", ["paris", "rome"]), True),
        (where("topic", "nin", ["physics"]), False),
        (where("tags", "contains", "b"), True),
        (where("topic", "starts_with", "phy"), True),
        (where("topic", "ends_with", "ics"), True),
        (where("year", "starts_with", "19"), False),
        (where("absent", "ne", 1), False),
        (where("absent", "exists"), False),
        (where("absent", "exists", value=False), True),
        (where("empty", "is_null"), True),
        (where("topic", "is_null", value=True), False),
        ({"OR": [where("year", "eq", 1), where("year", "eq", 1998)]}, True),
        ({"NOT": [where("year", "eq", 1), where("year", "eq", 1998)]}, False),
        ({"NOT": where("year", "eq", 1)}, True),
        ({"AND": [where("year", "eq", 1998), {"OR": [where("topic", "eq", "x"), where("tags", "exists")]}]}, True),
    ],
)
def test_a_source_matches_or_not(filters: dict[str, Any], expected: bool) -> None:
    check_filters(filters)

    assert matches(filters, FIELDS) is expected


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ([], "no filter"),
        ({}, "no condition"),
        ({"operator": "and", "conditions": []}, "source_filters.conditions"),
        ({"AND": [where("a", "regex", "x")]}, "'regex' is not served"),
        ({"AND": [where("a", "in", "x")]}, "must be a list"),
        ({"AND": [{**where("a", "eq"), "values": 1}]}, "source_filters.AND[0].values"),
        ({"field": 3}, "no name"),
    ],
)
def test_what_is_not_served_is_refused_by_name(filters: Any, words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_filters(filters)

    assert words in refused.value.message
    assert refused.value.hint
