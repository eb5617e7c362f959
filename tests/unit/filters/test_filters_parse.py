"""Reading filters: what is accepted, what it means, and what each wrong shape is answered with."""

from __future__ import annotations

from typing import Any

import pytest

from mixpeek.filters.evaluate import matches
from mixpeek.filters.model import EVERYTHING, AllOf, Condition, FilterInvalid, NoneOf, Operator
from mixpeek.filters.parse import MOST_CONDITIONS, parse_filter
from mixpeek.filters.surface import Column, Surface

SURFACE = Surface(
    columns={"name": Column("name"), "made_at": Column("made_at", "time")}, rest=Column("payload", "json")
)
RED = {"field": "color", "operator": "eq", "value": "red"}


def holds(data: Any, payload: dict[str, Any], *, case_sensitive: bool = False) -> bool:
    return matches(parse_filter(data, case_sensitive=case_sensitive), SURFACE, {"payload": payload})


def refused(data: Any) -> FilterInvalid:
    with pytest.raises(FilterInvalid) as caught:
        parse_filter(data, case_sensitive=False)
    return caught.value


@pytest.mark.parametrize(
    "data", [None, {}, {"AND": []}, {"OR": []}, {"NOT": []}, {"AND": None, "case_sensitive": False}]
)
def test_a_filter_that_asks_for_nothing_means_everything(data: Any) -> None:
    assert parse_filter(data, case_sensitive=False) == EVERYTHING


def test_an_operator_left_out_is_eq_and_a_bare_condition_is_a_filter() -> None:
    assert parse_filter({"field": "color", "value": "red"}, case_sensitive=True) == Condition(
        "color", Operator.EQ, "red", case_sensitive=True
    )


def test_not_takes_a_list_or_one_condition_and_means_that_none_holds() -> None:
    once = parse_filter({"NOT": RED}, case_sensitive=False)

    assert once == parse_filter({"NOT": [RED]}, case_sensitive=False)
    assert isinstance(once, NoneOf)
    assert not holds({"NOT": [RED, {"field": "size", "value": 1}]}, {"color": "blue", "size": 1})


def test_and_or_and_shorthand_beside_each_other_all_have_to_hold() -> None:
    data = {"AND": [RED], "OR": [{"field": "size", "value": 1}, {"field": "size", "value": 2}], "kind": "apple"}

    assert holds(data, {"color": "red", "size": 2, "kind": "Apple"})
    assert not holds(data, {"color": "red", "size": 3, "kind": "apple"})
    assert not holds(data, {"color": "red", "size": 2})


def test_case_is_as_the_surface_says_unless_the_filter_or_a_part_of_it_says() -> None:
    payload = {"color": "RED"}

    assert holds(RED, payload) and not holds(RED, payload, case_sensitive=True)
    assert not holds({"AND": [RED], "case_sensitive": True}, payload)
    assert holds({**RED, "case_insensitive": True}, payload, case_sensitive=True)
    assert holds({"AND": [{"OR": [{**RED, "case_sensitive": False}]}], "case_sensitive": True}, payload)


def test_dynamic_values_are_resolved_where_there_are_inputs() -> None:
    data = {"field": "owner", "value": {"type": "dynamic", "field": "inputs.user"}}

    resolved = parse_filter(data, case_sensitive=True, resolve={"inputs.user": "u1"}.__getitem__)

    assert resolved == Condition("owner", Operator.EQ, "u1", case_sensitive=True)
    assert "stands for an input of a retriever" in refused(data).message


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        ({"operator": "and", "conditions": [RED]}, '{"AND": […]}'),
        ({"operator": "or", "conditions": [RED]}, '{"OR": […]}'),
        ({"and": [RED]}, "`and` is written AND"),
        ({"must": [{"key": "color", "match": {"value": "red"}}]}, "`must` is written AND"),
        ({"$or": [RED]}, "`$or` is written OR"),
        ([RED], '{"AND": […]}'),
        ({"size": {"$gt": 5}}, '{"field": "size", "operator": …, "value": …}'),
        ({"color": ["red"]}, '"operator": "in"'),
        ({"field": "size", "operator": ">", "value": 1}, "did you mean `gt`?"),
        ({"field": "size", "operator": "startswith", "value": "1"}, "did you mean `starts_with`?"),
        ({"field": "color", "op": "eq", "value": "red"}, "did you mean `operator`?"),
        ({"field": "color", "operator": "in", "value": "red"}, "takes a list, not a text"),
        ({"field": "color", "operator": "gt", "value": None}, "compares numbers and texts, not null"),
        ({"field": "color", "operator": "exists", "value": "yes"}, "takes true or false"),
        ({"field": "color", "operator": "text", "value": "—"}, "there is none"),
        ({"field": "color"}, "needs a `value`"),
        ({"field": "", "value": 1}, "named by a text"),
        ({"field": "color", "value": float("nan")}, "finite"),
        ({"field": "color", "value": "a\x00"}, "NUL"),
        ({"AND": RED}, "AND takes a list"),
        ({**RED, "NOT": [RED]}, "put both into an AND"),
        ({"AND": [RED], "case_sensitive": True, "case_insensitive": True}, "contradict"),
        ({"value": 1}, "needs a `field`"),
    ],
)
def test_a_wrong_shape_is_told_what_to_write_instead(data: Any, advice: str) -> None:
    assert advice in refused(data).message


def test_all_faults_are_told_at_once_each_with_its_place() -> None:
    error = refused({"AND": [{"field": "a", "operator": "is", "value": 1}, {"OR": [{"field": "b", "operator": "gt"}]}]})

    places = [fault["location"] for fault in error.details["validation_errors"]]
    assert places == [["filters", "AND", 0, "operator"], ["filters", "AND", 1, "OR", 0]]
    assert error.message.endswith("(and 1 more)")


def test_a_filter_cannot_be_so_large_or_deep_that_reading_it_is_an_attack() -> None:
    deep: dict[str, Any] = RED
    for _ in range(5000):
        deep = {"AND": [deep]}

    assert "deep at most" in refused(deep).message
    assert "conditions at most" in refused({"OR": [RED] * (MOST_CONDITIONS + 1)}).message


def test_a_field_the_surface_lacks_is_named_with_the_one_it_may_mean() -> None:
    surface = Surface(columns={"status": Column("status")})

    with pytest.raises(FilterInvalid) as caught:
        matches(AllOf((Condition("state", Operator.EQ, "x", case_sensitive=True),)), surface, {})

    assert caught.value.hint == "Did you mean 'status'?"


def test_a_time_is_compared_as_a_moment_and_anything_else_is_refused() -> None:
    from datetime import UTC, datetime

    record = {"made_at": datetime(2026, 1, 31, 8, tzinfo=UTC), "payload": {}}

    def made(operator: str, value: str) -> bool:
        return matches(
            parse_filter({"field": "made_at", "operator": operator, "value": value}, case_sensitive=True),
            SURFACE,
            record,
        )

    assert (
        made("gt", "2026-01-31") and made("eq", "2026-01-31T09:00:00+01:00") and not made("lt", "2026-01-31T08:00:00Z")
    )
    with pytest.raises(FilterInvalid, match="made_at is a time"):
        made("gt", "yesterday")


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        (r"(a)\1", r"`\1` cannot be used"),
        ("(?=a)", "no look-around"),
        ("(?i)a", "no look-around, flags"),
        ("a**", "cannot be repeated"),
        ("*a", "repeats nothing"),
        ("^*", "a place such as"),
        ("a{2,1}", "lower to its upper"),
        ("a{999}", "255 at most"),
        ("[a", "`[` is not closed"),
        ("[[:alpha:]]", "named classes"),
        ("[z-a]", "to a later one"),
        ("(a", "not closed"),
        ("a)", "closes nothing"),
        ("a\\", "backslash ends"),
        (r"\p{L}", r"`\p` cannot be used"),
        ("a" * 1001, "1000 at most"),
    ],
)
def test_a_pattern_that_would_not_mean_the_same_everywhere_is_refused_by_name(pattern: str, fault: str) -> None:
    assert fault in refused({"field": "x", "operator": "regex", "value": pattern}).message


def test_a_pattern_that_makes_other_engines_run_for_ever_takes_no_time() -> None:
    assert not holds({"field": "x", "operator": "regex", "value": "(a+)+$"}, {"x": "a" * 20_000 + "b"})
