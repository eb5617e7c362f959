"""PostgreSQL and the evaluator agree on every filter: operators, nesting, missing fields, values of any kind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mixpeek.db.pool import Connection, Database, dict_rows
from mixpeek.filters.evaluate import matches
from mixpeek.filters.model import FilterInvalid, Operator
from mixpeek.filters.parse import parse_filter
from mixpeek.filters.sql import compile_filter, compile_value
from mixpeek.filters.surface import MISSING, Column, Surface
from mixpeek.filters.values import same

SURFACE = Surface(
    columns={
        "document_id": Column("document_id"),
        "_internal": Column("internal", "json"),
        "_internal.created_at": Column("created_at", "time"),
    },
    rest=Column("payload", "json"),
    also={"root_object_id": "_internal.lineage.root_object_id"},
    prefixes=frozenset({"metadata"}),
)
RECORDS = (
    "SELECT r->>'document_id' AS document_id, r->'payload' AS payload, r->'internal' AS internal,"
    " (r->>'created_at')::timestamptz AS created_at, n FROM jsonb_array_elements(%(records)s::jsonb)"
    " WITH ORDINALITY AS record(r, n)"
)

# Few letters, so that values meet; among them those that fold in unusual ways, stand between words, or matter to SQL.
TEXTS = st.one_of(
    st.text("aAbB1 .é\u00c9İΣςσß'%\\_\"-\n\u2014", max_size=6),
    st.sampled_from(["5", "5.0", "-0", "1e3", "true", "False", "null", "2026-01-31", "Red", "red fox, the", "a.b"]),
    st.integers(-12, 12).map(str),
)
NUMBERS = st.one_of(
    st.integers(-12, 12),
    st.sampled_from([0.5, -0.0, 5.0, 1e3, 1e20, 1e-7, 1.1, 10**30, 2**53 + 1]),
    st.floats(allow_nan=False, allow_infinity=False),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "0"]), inner, max_size=2),
    max_leaves=5,
)
# What fields hold and what they are compared with are drawn from here more often than not, so that conditions hold too.
COMMON = st.sampled_from(
    [
        "a",
        "A",
        "ab",
        "Red fox",
        "red",
        "é",
        "É",
        "5",
        5,
        5.0,
        12,
        -1,
        True,
        "TRUE",
        None,
        ["a", 5],
        ["Red fox"],
        {"a": 1},
    ]
)
NAMES = st.sampled_from(
    [
        "x",
        "x",
        "x",
        "x",
        "y",
        "x.a",
        "x.0",
        "x.-1",
        "x.a.b",
        "metadata.y",
        "a.b",
        "root_object_id",
        "_internal.lineage",
        "document_id",
    ]
)


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    payload = draw(st.dictionaries(st.sampled_from(["x", "y", "a.b", "metadata"]), COMMON | VALUES, max_size=4))
    lineage = draw(st.fixed_dictionaries({}, optional={"root_object_id": TEXTS, "path": VALUES}))
    return {
        "document_id": draw(TEXTS),
        "payload": payload,
        "internal": draw(st.sampled_from([{}, {"lineage": lineage}])),
        "created_at": None,
    }


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    operator = draw(st.sampled_from(list(Operator)))
    if operator in ("exists", "is_null"):
        value = draw(st.booleans())
    elif operator in ("in", "nin"):
        value = draw(st.lists(COMMON | VALUES, max_size=4))
    elif operator in ("eq", "ne"):
        value = draw(COMMON | VALUES)
    elif operator == "regex":
        value = draw(PATTERNS)
    elif operator in ("gt", "lt", "gte", "lte"):
        value = draw(st.integers(0, 9) | NUMBERS | TEXTS)
    else:
        value = draw(st.sampled_from(["a", "red", "fox", "5"]) | NUMBERS | st.booleans() | TEXTS)
    found = {"field": draw(NAMES), "operator": operator.value, "value": value}
    return {**found, **draw(st.sampled_from([{}, {"case_sensitive": True}, {"case_sensitive": False}]))}


# Put together from pieces, so that most of them are patterns.
PIECES = st.sampled_from(
    ["a", "B", "é", "İ", "Σ", ".", "[a-c]", "[^a]", "[A-Z]", "[É-Ü]", r"\d", r"\W", r"\s", r"\b", "^", "$",
     "a|b", "(ab)", "(?:a|)", "a*", "b+?", ".?", "[0-9]{1,3}", "(a|b){2}", r"\.", r"\\", "%", "'", "-", "[-a]", "[]a]",
     r"[\]x]"]
)  # fmt: skip
PATTERNS = st.lists(PIECES, min_size=1, max_size=4).map("".join)
FILTERS = st.recursive(
    conditions(),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "AND": st.lists(inner, max_size=3),
            "OR": st.lists(inner, max_size=3),
            "NOT": st.lists(inner, max_size=2) | inner,
            "case_sensitive": st.booleans(),
        },
    ),
    max_leaves=6,
)


@pytest.fixture
def connection(database: Database) -> Any:
    with database.transaction() as open_connection:
        yield open_connection


def chosen_by_postgres(connection: Connection, wanted: Any, stored: list[dict[str, Any]]) -> list[bool]:
    fragment = compile_filter(wanted, SURFACE)
    rows = dict_rows(
        connection,
        f"SELECT {fragment.text} AS holds FROM ({RECORDS}) records ORDER BY n",
        {**fragment.params, "records": json.dumps(stored)},
    )
    return [row["holds"] for row in rows]


@settings(suppress_health_check=list(HealthCheck), max_examples=250)
@given(FILTERS, st.lists(records(), min_size=1, max_size=8), st.booleans())
@example(
    {"NOT": {"field": "x", "operator": "eq", "value": 1}}, [{"payload": {}, "internal": {}, "document_id": ""}], True
)
@example(
    {"field": "x", "operator": "nin", "value": ["a", 5]},
    [{"payload": {"x": x}, "internal": {}, "document_id": ""} for x in ["b", "5", 6, True, None, [], [5], {}]],
    False,
)
def test_the_database_chooses_what_the_evaluator_chooses(
    connection: Connection, data: dict[str, Any], stored: list[dict[str, Any]], case_sensitive: bool
) -> None:
    try:
        wanted = parse_filter(data, case_sensitive=case_sensitive)
    except FilterInvalid:
        return

    chosen = chosen_by_postgres(connection, wanted, stored)

    assert chosen == [matches(wanted, SURFACE, record) for record in stored]


@settings(suppress_health_check=list(HealthCheck), max_examples=60)
@given(NAMES, st.lists(records(), min_size=1, max_size=8))
def test_a_field_has_the_same_value_in_both(connection: Connection, name: str, stored: list[dict[str, Any]]) -> None:
    fragment = compile_value(name, SURFACE)

    rows = dict_rows(
        connection,
        f"SELECT {fragment.text} AS value FROM ({RECORDS}) records ORDER BY n",
        {**fragment.params, "records": json.dumps(stored)},
    )

    found = [SURFACE.read(record, name) for record in stored]
    expected = [None if value is MISSING else value for value in found]
    assert all(same(row["value"], value) for row, value in zip(rows, expected, strict=True)), (rows, expected)
