"""What a list is asked for: in the query, or in the body as some documents write it; and cursors there and back."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mixpeek.api.paging import ListedPage, ListRequest, Page, wire_found
from mixpeek.db.listing import Found
from mixpeek.errors import InvalidRequest
from mixpeek.filters.model import Condition
from mixpeek.filters.query import Position, Query, Sort

ASKED = ListedPage(Page(100, None, 7), with_total=False)


@pytest.mark.parametrize(
    ("body", "limit", "offset"),
    [
        (None, 100, 7),
        ({"limit": 5, "offset": 0}, 5, 0),
        ({"page": 3, "page_size": 20}, 20, 40),
        ({"page_size": 20}, 20, 7),
    ],
)
def test_the_body_says_which_page_in_any_documented_way(body: Any, limit: int, offset: int) -> None:
    query = ASKED.query(ListRequest(**body) if body else None)

    assert (query.limit, query.offset) == (limit, offset)


@pytest.mark.parametrize(
    "body", [{"limit": 1, "page_size": 1}, {"offset": 1, "page": 1}, {"sorts": [{"field": "a"}] * 2}]
)
def test_what_is_said_twice_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ListRequest(**body)


def test_filters_ignore_case_unless_the_list_or_the_filter_says() -> None:
    filters = {"field": "a", "value": "x"}

    wanted = [ASKED.query(ListRequest(filters=filters, case_sensitive=each)).filter for each in (None, False, True)]

    assert [condition.case_sensitive for condition in wanted if isinstance(condition, Condition)] == [
        False,
        False,
        True,
    ]


def test_retrievers_spell_sort_in_the_plural() -> None:
    assert ASKED.query(ListRequest(sorts=[{"field": "a", "direction": "DESC"}])).sort == Sort("a", descending=True)  # type: ignore[list-item]


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=9)


@given(st.lists(TEXTS, max_size=2), st.none() | st.builds(Sort, TEXTS, st.booleans()), VALUES | TEXTS)
def test_a_cursor_leads_back_to_its_position(key: list[str], sort: Sort | None, value: Any) -> None:
    position = Position(tuple(key), sort, value)

    cursor = wire_found(Query(1), [], Found([], position))["pagination"]["next_cursor"]

    assert ASKED.query(ListRequest(cursor=cursor)).after == position
    assert ASKED.query(ListRequest(cursor=cursor)).offset == 0


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_a_cursor_of_anybody_elses_is_refused(cursor: str) -> None:
    if not cursor:
        return
    with pytest.raises(InvalidRequest):
        ASKED.query(ListRequest(cursor=cursor))


def test_totals_number_the_pages() -> None:
    page = wire_found(Query(10, offset=20, with_total=True), [], Found([], None, 45))["pagination"]

    assert (page["total"], page["page"], page["total_pages"], page["next_cursor"]) == (45, 3, 5, None)
