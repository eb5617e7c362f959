"""Documents listed, grouped, counted and edited in a real database."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories.indexes import NewIndex
from mixpeek.api.paging import ListedPage, ListRequest, Page
from mixpeek.db.pool import Connection, scalar
from mixpeek.db.time_limit import FilterTimedOut, time_limit
from mixpeek.documents.bulk import delete_matching, edit_matching
from mixpeek.documents.port import Index, NewDocument
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.documents.schemas import Aggregate
from mixpeek.errors import InvalidRequest
from mixpeek.filters.evaluate import matches
from mixpeek.filters.model import Filter
from mixpeek.filters.parse import parse_filter
from mixpeek.filters.query import Query, Sort

STORE = PostgresDocuments()


@pytest.fixture
def index(new_index: NewIndex) -> Index:
    return new_index()


def fill(connection: Connection, index: Index, payloads: list[dict[str, Any]], batch: str = "btch_1") -> None:
    documents = [
        NewDocument(f"doc_{n:03}", batch, "obj_1", payload, {"lineage": {"root_object_id": f"obj_{n % 2}"}})
        for n, payload in enumerate(payloads)
    ]
    STORE.upsert(connection, index, documents)


def read(data: Any) -> Filter:
    return parse_filter(data, case_sensitive=False)


def ids(connection: Connection, index: Index, query: Query) -> list[str]:
    return [document.document_id for document in STORE.query(connection, index, query).rows]


def walked(connection: Connection, index: Index, request: dict[str, Any], limit: int) -> list[str]:
    """Follow cursors as a client does, through their text, to the end."""
    seen: list[str] = []
    cursor = None
    while True:
        query = ListedPage(Page(limit, cursor), with_total=False).query(ListRequest(**request))
        found = STORE.query(connection, index, query)
        assert len(found.rows) <= limit
        seen += [document.document_id for document in found.rows]
        if found.after is None:
            return seen
        from mixpeek.api.paging import wire_found

        cursor = wire_found(query, [], found)["pagination"]["next_cursor"]


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1e20]), st.text("abÄ", max_size=2),
    st.just([1]), st.just("x" * 300),
)  # fmt: skip


@settings(suppress_health_check=list(HealthCheck), max_examples=25)
@given(
    st.lists(st.fixed_dictionaries({}, optional={"rank": VALUES}), min_size=1, max_size=9),
    st.integers(1, 4),
    st.sampled_from([None, "asc", "desc"]),
)
def test_pages_hold_every_document_once_in_one_order_whatever_they_are_sorted_by(
    connection: Connection, new_index: NewIndex, payloads: list[dict[str, Any]], limit: int, direction: str | None
) -> None:
    index = new_index()
    fill(connection, index, payloads)
    request = {"sort": {"field": "rank", "direction": direction}} if direction else {}

    paged = walked(connection, index, request, limit)

    sort = Sort("rank", direction == "desc") if direction else None
    assert paged == ids(connection, index, Query(100, sort=sort))
    assert sorted(paged) == [f"doc_{n:03}" for n in range(len(payloads))]


def test_a_sort_puts_texts_before_numbers_and_what_has_no_order_last_both_ways(
    connection: Connection, index: Index
) -> None:
    fill(connection, index, [{"rank": "b"}, {"rank": 10}, {"rank": [1]}, {"rank": 9.5}, {}, {"rank": "a"}])

    up = ids(connection, index, Query(10, sort=Sort("rank")))
    down = ids(connection, index, Query(10, sort=Sort("rank", descending=True)))

    assert [int(each[-1]) for each in up] == [5, 0, 3, 1, 2, 4]
    assert down[-2:] == up[-2:] == ["doc_002", "doc_004"]
    assert down[:4] == up[:4][::-1]


def test_what_is_added_or_deleted_meanwhile_neither_repeats_nor_hides_anything_else(
    connection: Connection, index: Index
) -> None:
    fill(connection, index, [{"rank": n} for n in range(6)])
    query = Query(3, sort=Sort("rank"))
    first = STORE.query(connection, index, query)

    STORE.delete(connection, index, ["doc_001", "doc_002"])
    STORE.upsert(connection, index, [NewDocument("doc_900", "", "", {"rank": 0.5}, {})])
    second = STORE.query(connection, index, Query(3, sort=Sort("rank"), after=first.after))

    assert [document.document_id for document in second.rows] == ["doc_003", "doc_004", "doc_005"]
    assert second.after is None


def test_a_cursor_of_another_order_is_refused(connection: Connection, index: Index) -> None:
    fill(connection, index, [{"rank": n} for n in range(3)])
    after = STORE.query(connection, index, Query(1, sort=Sort("rank"))).after

    with pytest.raises(InvalidRequest, match="another order"):
        STORE.query(connection, index, Query(1, after=after))


@pytest.mark.parametrize(
    "data",
    [
        {"field": "root_object_id", "value": "obj_1"},
        {"field": "_internal.lineage.root_object_id", "value": "obj_1"},
        {"field": "metadata.topic", "value": "ART"},
        {"field": "tags", "operator": "contains", "value": "new"},
        {"field": "document_id", "operator": "ends_with", "value": "1"},
        {"NOT": [{"field": "topic", "operator": "regex", "value": "^a.t$"}]},
    ],
)
def test_filters_reach_fields_lineage_and_ids(connection: Connection, index: Index, data: dict[str, Any]) -> None:
    from mixpeek.documents.surface import SURFACE

    fill(connection, index, [{"topic": "art"}, {"topic": "Music", "tags": ["new"]}, {"tags": ["old"], "topic": 5}])
    stored = STORE.query(connection, index, Query(10)).rows

    found = ids(connection, index, Query(10, filter=read(data)))

    records = {
        d.document_id: {"document_id": d.document_id, "payload": d.payload, "internal": d.internal} for d in stored
    }
    assert found == [key for key, record in records.items() if matches(read(data), SURFACE, record)]
    assert 0 < len(found) < 3


def test_search_looks_into_every_text_however_deep_and_ignores_case(connection: Connection, index: Index) -> None:
    fill(connection, index, [{"a": {"b": ["x", {"c": "Über 100% sure"}]}}, {"a": "other"}, {"100% sure": 1}])

    assert ids(connection, index, Query(10, search="üBER 100%")) == ["doc_000"]


def test_groups_come_in_pages_with_counts_and_their_first_documents(connection: Connection, index: Index) -> None:
    fill(
        connection, index, [{"kind": "b"}, {"kind": "a"}, {}, {"kind": "a"}, {"kind": 1}, {"kind": None}, {"kind": "a"}]
    )

    first = STORE.group(connection, index, Query(2), "kind", each=2)
    rest = STORE.group(connection, index, Query(9, after=first.after), "kind", each=2)
    stats = STORE.stats(connection, index, Query(2), "kind")

    groups = {
        group.value: (group.count, [d.document_id for d in group.documents]) for group in first.groups + rest.groups
    }
    assert groups == {
        None: (2, ["doc_002", "doc_005"]),
        "a": (3, ["doc_001", "doc_003"]),
        "b": (1, ["doc_000"]),
        1: (1, ["doc_004"]),
    }
    assert (len(first.groups), rest.after, stats.total_groups, stats.total_documents) == (2, None, 4, 7)


def test_aggregates_read_numbers_and_leave_the_rest_out(connection: Connection, index: Index) -> None:
    fill(
        connection,
        index,
        [
            {"k": "a", "n": 1},
            {"k": "a", "n": 2.5},
            {"k": "a", "n": "9"},
            {"k": "b", "n": 10, "at": "2026-01-31"},
            {"n": 1},
        ],
    )
    operations = [
        {"function": "count", "alias": "all"},
        *({"function": name, "field": "n", "alias": name} for name in ("sum", "avg", "min", "max", "count_distinct")),
    ]

    by_kind = STORE.aggregate(
        connection, index, Aggregate(group_by=[{"field": "k"}], aggregations=operations, sort_by="all")
    )
    whole = STORE.aggregate(connection, index, Aggregate(aggregations=operations[:2], filters={"k": "b"}))
    months = STORE.aggregate(
        connection,
        index,
        Aggregate(
            group_by=[{"field": "at", "date_trunc": "month", "alias": "month"}, {"field": "k"}],
            aggregations=operations[:1],
            having=[{"field": "all", "operator": "lt", "value": 2}],
        ),
    )

    figures = {"all": 3, "sum": 3.5, "avg": 1.75, "count_distinct": 3}
    assert by_kind[0]["group"] == {"k": "a"}
    assert {name: by_kind[0]["metrics"][name] for name in figures} == figures
    assert (by_kind[0]["metrics"]["min"], by_kind[0]["metrics"]["max"]) == ("9", 2.5)  # a text comes before numbers
    assert whole == [{"group": {}, "metrics": {"all": 1, "sum": 10.0}}]
    assert [row["group"] for row in months] == [
        {"month": None, "k": None},
        {"month": "2026-01-01T00:00:00Z", "k": "b"},
    ]


def test_an_edit_survives_a_new_run_but_for_what_the_extractor_makes(connection: Connection, index: Index) -> None:
    vectors = {"vec": np.ones(2, np.float32)}
    STORE.upsert(connection, index, [NewDocument("doc_a", "btch_1", "obj_1", {"text": "x", "n": 1}, {}, vectors)])
    made_at = STORE.query(connection, index, Query(1)).rows[0].created_at

    assert STORE.edit(connection, index, ["doc_a", "doc_none"], {"note": "mine", "n": 7, "deep.a": 1}) == {"doc_a"}
    edited = STORE.fetch(connection, [index], ["doc_a"], vectors=True)["doc_a"]
    STORE.upsert(connection, index, [NewDocument("doc_a", "btch_2", "obj_1", {"text": "y", "n": 2}, {}, vectors)])
    again = STORE.query(connection, index, Query(1)).rows[0]

    assert (edited.payload, edited.vectors) == (
        {"text": "x", "n": 7, "note": "mine", "deep": {"a": 1}},
        {"vec": [1.0, 1.0]},
    )
    assert again.payload == {"text": "y", "n": 2, "note": "mine", "deep": {"a": 1}}
    assert again.created_at == made_at


def test_a_replacement_takes_fields_away_until_the_extractor_makes_them_again(
    connection: Connection, index: Index
) -> None:
    fill(connection, index, [{"text": "x"}])

    STORE.edit(connection, index, ["doc_000"], {"note": 1}, replace=True)
    replaced = STORE.fetch(connection, [index], ["doc_000"])["doc_000"].payload
    fill(connection, index, [{"text": "x"}], batch="btch_2")

    assert replaced == {"note": 1}
    assert STORE.fetch(connection, [index], ["doc_000"])["doc_000"].payload == {"text": "x", "note": 1}


def test_everything_that_passes_a_filter_is_changed_once_although_it_no_longer_passes(
    connection: Connection, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixpeek.documents.bulk.AT_ONCE", 2)
    fill(connection, index, [{"state": "new"}] * 5 + [{"state": "old"}])

    edited = edit_matching(STORE, connection, index, read({"state": "new"}), {"state": "old"})
    deleted = delete_matching(STORE, connection, index, read({"state": "old"}))

    assert (edited, deleted, STORE.count(connection, index)) == (5, 6, 0)


def test_a_deleted_document_takes_its_vectors_along(connection: Connection, index: Index) -> None:
    STORE.upsert(connection, index, [NewDocument("doc_a", "b", "o", {}, {}, {"vec": np.ones(2, np.float32)})])

    assert STORE.delete(connection, index, ["doc_a", "doc_b"]) == {"doc_a"}
    assert STORE.search(connection, [index], "vec", [1, 1], "dot", 5) == []
    assert STORE.count(connection, index) == 0


def test_a_statement_that_takes_too_long_is_a_named_error(connection: Connection) -> None:
    with pytest.raises(FilterTimedOut, match=r"longer than 0\.05 seconds"), time_limit(connection, 0.05):
        connection.execute("SELECT pg_sleep(5)")


def test_a_tighter_limit_of_the_transaction_stays(connection: Connection) -> None:
    connection.execute("SET LOCAL statement_timeout = '50ms'")

    with pytest.raises(psycopg.errors.QueryCanceled), time_limit(connection, 5):
        connection.execute("SELECT pg_sleep(10)")


def test_the_limit_ends_with_what_it_is_for(connection: Connection) -> None:
    before = scalar(connection, "SHOW statement_timeout")

    with time_limit(connection, 1):
        assert scalar(connection, "SHOW statement_timeout") == "1s"

    assert scalar(connection, "SHOW statement_timeout") == before
