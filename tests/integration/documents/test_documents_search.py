"""Searches that are filtered, and searches by words: held to brute force over what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories.filters import FILTERS, records
from factories.indexes import NewIndex
from mixpeek.db.pool import Connection, dict_rows
from mixpeek.documents import bm25
from mixpeek.documents.port import DocumentStore, Index, NewDocument
from mixpeek.documents.surface import SURFACE
from mixpeek.documents.terms import terms_of, terms_of_query
from mixpeek.filters.evaluate import matches
from mixpeek.filters.model import FilterInvalid
from mixpeek.filters.parse import parse_filter

ANY_WORD = st.sampled_from(["red", "fox", "foxes", "jumps", "over", "the", "a", "lazy", "dog"])
WORDS = st.lists(ANY_WORD, max_size=6).map(" ".join)


def write(store: DocumentStore, connection: Connection, index: Index, stored: list[dict[str, Any]]) -> dict[str, Any]:
    """Write records, each with a vector of its own; return them by the id they got."""
    documents = [
        NewDocument(f"doc_{n}", "btch_1", "obj_1", record["payload"], record["internal"], {"vec": vector(n)})
        for n, record in enumerate(stored)
    ]
    store.upsert(connection, index, documents)
    return {f"doc_{n}": {**record, "document_id": f"doc_{n}"} for n, record in enumerate(stored)}


def vector(n: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.asarray([n * 7 % 5, n], dtype=np.float32)


def ranked(found: dict[str, Any]) -> list[str]:
    """Order ids as a search for [1, 0] by dot product does."""
    return sorted(found, key=lambda key: (-float(vector(int(key[4:]))[0]), key))


@settings(suppress_health_check=list(HealthCheck), max_examples=80)
@given(FILTERS, st.lists(records(), min_size=1, max_size=8), st.booleans(), st.integers(1, 8))
def test_a_filtered_search_finds_what_the_evaluator_lets_pass(
    store: DocumentStore,
    connection: Connection,
    new_index: NewIndex,
    data: dict[str, Any],
    stored: list[dict[str, Any]],
    case_sensitive: bool,
    k: int,
) -> None:
    try:
        where = parse_filter(data, case_sensitive=case_sensitive)
    except FilterInvalid:
        return
    index = new_index()
    for record in stored:
        record["payload"]["body"] = "word"
    written = write(store, connection, index, stored)

    nearest = store.search(connection, [index], "vec", [1, 0], "dot", k, where=where)
    best = store.search_text(connection, [index], "words", k, where=where)

    passing = {key: record for key, record in written.items() if matches(where, SURFACE, record)}
    assert [hit.document_id for hit in nearest] == ranked(passing)[:k]
    texts = {key: terms_of(record["payload"]) for key, record in written.items()}
    expected = [(key, score) for key, score in bm25.rank(texts, ["word"]) if key in passing]
    assert [(hit.document_id, round(hit.score, 9)) for hit in best] == [(k, round(s, 9)) for k, s in expected][:k]


@settings(suppress_health_check=list(HealthCheck), max_examples=50)
@given(st.lists(WORDS, min_size=1, max_size=10), WORDS, st.data())
def test_a_search_by_words_ranks_by_bm25_after_upserts_and_deletes(
    store: DocumentStore, connection: Connection, new_index: NewIndex, texts: list[str], query: str, data: st.DataObject
) -> None:
    first, second = new_index(), new_index()
    names = [f"doc_{n:02}" for n in range(len(texts))]
    places = [data.draw(st.sampled_from([first, second])) for _ in texts]
    for name, index, text in zip(names, places, texts, strict=True):
        store.upsert(connection, index, [NewDocument(name, "", "", {"of": {"text": f"fox {text}"}}, {})])
    replaced = data.draw(st.sets(st.sampled_from(names)))
    deleted = data.draw(st.sets(st.sampled_from(names)))
    for name, index in zip(names, places, strict=True):
        if name in replaced:
            store.upsert(connection, index, [NewDocument(name, "", "", {"text": "dog"}, {})])
        if name in deleted:
            store.delete(connection, index, [name])

    hits = store.search_text(connection, [first, second], query, 20)

    left = {
        (name, index.collection_id): "dog" if name in replaced else f"fox {text}"
        for name, index, text in zip(names, places, texts, strict=True)
        if name not in deleted
    }
    expected = bm25.rank({key: terms_of({"": text}) for key, text in left.items()}, terms_of_query(query))
    assert [(hit.document_id, hit.collection_id) for hit in hits] == [key for key, _ in expected]
    assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected])


def test_an_edit_changes_what_words_find(
    store: DocumentStore, connection: Connection, new_index: Callable[[], Index]
) -> None:
    index = new_index()
    store.upsert(connection, index, [NewDocument("doc_a", "", "", {"title": "old", "kept": "stays"}, {})])

    store.edit(connection, index, ["doc_a"], {"title": "new"})

    found = [bool(store.search_text(connection, [index], word, 5)) for word in ("old", "new", "stays")]
    assert found == [False, True, True]


def test_words_that_no_document_has_find_nothing(
    store: DocumentStore, connection: Connection, new_index: Callable[[], Index]
) -> None:
    index = new_index()
    assert store.search_text(connection, [index], "fox", 5) == []
    store.upsert(connection, index, [NewDocument("doc_a", "", "", {"title": "dog"}, {})])

    assert store.search_text(connection, [index], "fox", 5) == []
    assert store.search_text(connection, [index], " - ", 5) == []


def test_small_blocks_of_text_are_put_together_and_rank_as_before(
    store: DocumentStore, connection: Connection, new_index: NewIndex
) -> None:
    index = new_index()
    texts = {f"doc_{n:03}": f"word{n % 7} shared {'filler ' * (n % 5)}" for n in range(100)}
    for key, text in texts.items():
        store.upsert(connection, index, [NewDocument(key, "", "", {"text": text}, {})])
        if key.endswith("5"):
            store.delete(connection, index, [key])
    store.upsert(connection, index, [NewDocument("doc_001", "", "", {"text": "word3"}, {})])
    left = {**{key: text for key, text in texts.items() if not key.endswith("5")}, "doc_001": "word3"}

    hits = store.search_text(connection, [index], "word3 shared", 1000)

    expected = bm25.rank({key: terms_of({"": text}) for key, text in left.items()}, terms_of_query("word3 shared"))
    assert [hit.document_id for hit in hits] == [key for key, _ in expected]
    [row] = dict_rows(
        connection,
        "SELECT count(*) AS blocks, (SELECT count(*) FROM text_postings p WHERE NOT EXISTS (SELECT FROM text_blocks b"
        "  WHERE b.block = p.block)) AS orphans FROM text_blocks WHERE collection_id = %s",
        [index.collection_id],
    )
    assert row["blocks"] < 40
    assert row["orphans"] == 0


@pytest.mark.parametrize("search", ["vector", "words"])
def test_a_filter_is_tried_once_on_each_document_of_a_collection_that_the_planner_takes_for_empty(
    store: DocumentStore,
    connection: Connection,
    new_index: NewIndex,
    monkeypatch: pytest.MonkeyPatch,
    search: str,
) -> None:
    """To read a collection once for each of its vectors looked as cheap as one look by the key, and took minutes."""
    index, count = new_index(), 1500
    write(store, connection, new_index(), [{"payload": {"n": n}, "internal": {}} for n in range(2000)])
    connection.execute("ANALYZE documents, document_keys, document_vectors")
    write(store, connection, index, [{"payload": {"n": n, "body": "word"}, "internal": {}} for n in range(count)])
    tried: list[float] = []

    def explained(connection: Connection, sql: str, params: Any) -> list[dict[str, Any]]:
        [row] = dict_rows(connection, f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        tried.append(sum(looks(row["QUERY PLAN"][0]["Plan"])))
        return dict_rows(connection, sql, params)

    monkeypatch.setattr("mixpeek.documents.vector_search.dict_rows_planned_anew", explained)
    monkeypatch.setattr("mixpeek.documents.qdrant.vectors.dict_rows_planned_anew", explained)
    monkeypatch.setattr("mixpeek.documents.text_index.dict_rows", explained)
    where = parse_filter({"field": "n", "operator": "lt", "value": 700}, case_sensitive=True)

    if search == "vector":
        hits = store.search(connection, [index], "vec", [1, 0], "dot", count, where=where)
    else:
        hits = store.search_text(connection, [index], "word", count, where=where)

    assert len(hits) == 700
    assert count <= sum(tried) <= 2 * count


def looks(plan: dict[str, Any]) -> Iterator[float]:
    """Yield how many documents each part of a plan was handed or threw away."""
    if plan.get("Relation Name") == "documents":
        yield (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    for part in plan.get("Plans", ()):
        yield from looks(part)
