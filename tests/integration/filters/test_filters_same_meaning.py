"""PostgreSQL and the evaluator agree on every filter: operators, nesting, missing fields, values of any kind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from factories.filters import FILTERS, NAMES, records
from mixpeek.db.pool import Connection, Database, dict_rows
from mixpeek.filters.evaluate import matches
from mixpeek.filters.model import FilterInvalid
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
