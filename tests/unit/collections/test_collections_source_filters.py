"""Which sources a collection takes."""

from __future__ import annotations

from typing import Any

import pytest

from mixpeek.collections.source_filters import matches, read_source_filter

FIELDS = {"topic": "Physics", "year": 1998, "tags": ["a", "B"], "place": {"city": "Paris"}, "empty": None}


def where(field: str, operator: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"field": "topic", "value": "physics"}, True),
        ({"field": "metadata.topic", "value": "physics"}, True),
        ({"case_sensitive": True, "AND": [where("topic", "eq", "physics")]}, False),
        (where("place.city", "in", ["paris", "rome"]), True),
        (where("tags", "contains", "b"), True),
        (where("absent", "ne", 1), False),
        ({"OR": [where("year", "eq", 1), where("year", "eq", 1998)]}, True),
        ({"NOT": where("year", "eq", 1998)}, False),
        (None, True),
    ],
)
def test_a_source_matches_or_not(filters: dict[str, Any] | None, expected: bool) -> None:
    assert matches(read_source_filter(filters), FIELDS) is expected
