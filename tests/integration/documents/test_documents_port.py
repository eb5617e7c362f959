"""The conformance suite of `documents.port`: what every document store must do, run on each there is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixpeek.db.pool import Connection
from mixpeek.documents.port import DocumentStore, Index, Metric, NewDocument, Sources

Vector = NDArray[np.float32]
METRICS: tuple[Metric, ...] = ("cosine", "dot", "euclidean")
DIMENSION = 4


@pytest.fixture
def index(new_index: Callable[[], Index]) -> Index:
    return new_index()


def document(key: str, vector: Sequence[float] | Vector | None = None, **payload: Any) -> NewDocument:
    vectors = {} if vector is None else {"vec": np.asarray(vector, dtype=np.float32)}
    return NewDocument(f"doc_{key}", "btch_1", "obj_1", payload, {"lineage": {"of": key}}, vectors)


def test_what_was_written_is_fetched_with_vectors_only_when_asked(
    store: DocumentStore, connection: Connection, index: Index
) -> None:
    store.upsert(connection, index, [document("a", [1, 2, 3, 4], label="x", parts=[{"n": 1.5}, None])])

    [plain] = store.fetch(connection, [index], ["doc_a", "doc_none"]).values()
    [whole] = store.fetch(connection, [index], ["doc_a"], vectors=True).values()

    assert plain.payload == {"label": "x", "parts": [{"n": 1.5}, None]}
    assert plain.internal == {"lineage": {"of": "a"}}
    assert (plain.vectors, whole.vectors) == ({}, {"vec": [1.0, 2.0, 3.0, 4.0]})


def test_an_upsert_replaces_payload_and_vectors_and_counts_once(
    store: DocumentStore, connection: Connection, index: Index
) -> None:
    store.upsert(connection, index, [document("a", [1, 0, 0, 0], old=1), document("b", [0, 1, 0, 0])])
    store.upsert(connection, index, [document("a", [0, 0, 1, 0], new=2)])

    found = store.fetch(connection, [index], ["doc_a"], vectors=True)["doc_a"]
    hits = store.search(connection, [index], "vec", [1, 0, 0, 0], "dot", 10)

    assert (found.payload, found.vectors) == ({"new": 2}, {"vec": [0.0, 0.0, 1.0, 0.0]})
    assert store.count(connection, index) == 2
    assert [(hit.document_id, hit.score) for hit in hits] == [("doc_a", 0.0), ("doc_b", 0.0)]


def test_an_upsert_without_a_vector_removes_the_one_there_was(
    store: DocumentStore, connection: Connection, index: Index
) -> None:
    store.upsert(connection, index, [document("a", [1, 0, 0, 0])])
    store.upsert(connection, index, [document("a")])

    assert store.search(connection, [index], "vec", [1, 0, 0, 0], "dot", 10) == []
    assert store.count(connection, index) == 1


def test_writing_nothing_changes_nothing(store: DocumentStore, connection: Connection, index: Index) -> None:
    store.upsert(connection, index, [])

    assert store.count(connection, index) == 0


def parts(row: str, count: int, *, source: str | None = None, objects: str = "obj_1") -> list[NewDocument]:
    """Documents of one exploded row, named after it and their place."""
    return [
        NewDocument(
            document_id=f"{row}_{position}",
            batch_id="btch_1",
            object_id=objects,
            payload={},
            internal={},
            vectors={"vec": np.ones(DIMENSION, dtype=np.float32)},
            source_document_id=source,
            row_id=f"{row}_0",
            position=position,
        )
        for position in range(count)
    ]


def ids(store: DocumentStore, connection: Connection, index: Index) -> list[str]:
    found = [one.document_id for one in store.list_page(connection, index, after="", limit=1000)]
    assert store.count(connection, index) == len(found)
    hits = store.search(connection, [index], "vec", [1, 1, 1, 1], "dot", 1000)
    assert sorted(hit.document_id for hit in hits) == found
    return found


def test_parts_that_a_row_no_longer_has_are_removed_and_all_others_stay(
    store: DocumentStore, connection: Connection, index: Index
) -> None:
    rows = [*parts("a", 3), *parts("b", 2), *parts("c", 2), *parts("gone", 2), *parts("z", 2, objects="obj_2")]
    store.upsert(connection, index, rows)

    removed = store.keep_only(connection, index, {"a_0": 1, "b_0": None, "c_0": 0}, Sources(object_ids=["obj_1"]))

    assert ids(store, connection, index) == ["a_0", "b_0", "b_1", "z_0", "z_1"]
    assert removed == 6


def test_what_was_made_of_a_removed_document_goes_with_it_however_far_down(
    store: DocumentStore, connection: Connection, new_index: Callable[[], Index]
) -> None:
    first, second, third = new_index(), new_index(), new_index()
    store.upsert(connection, first, parts("page", 2))
    store.upsert(connection, second, [*parts("x", 2, source="page_0"), *parts("y", 2, source="page_1")])
    store.upsert(connection, third, [*parts("deep", 1, source="x_1"), *parts("deeper", 1, source="y_1")])

    removed = store.keep_only(connection, first, {"page_0": 1}, Sources(object_ids=["obj_1"]))

    assert removed == 4
    assert [ids(store, connection, each) for each in (first, second, third)] == [
        ["page_0"],
        ["x_0", "x_1"],
        ["deep_0"],
    ]


def test_what_was_made_of_a_deleted_document_goes_with_it(
    store: DocumentStore, connection: Connection, new_index: Callable[[], Index]
) -> None:
    first, second, third = new_index(), new_index(), new_index()
    store.upsert(connection, first, parts("page", 2))
    store.upsert(connection, second, [*parts("x", 2, source="page_0"), *parts("y", 2, source="page_1")])
    store.upsert(connection, third, [*parts("deep", 1, source="x_1"), *parts("deeper", 1, source="y_1")])

    assert store.delete(connection, first, ["page_1", "nowhere"]) == {"page_1"}

    assert [ids(store, connection, each) for each in (first, second, third)] == [
        ["page_0"],
        ["x_0", "x_1"],
        ["deep_0"],
    ]


def test_of_documents_made_of_documents_only_those_of_the_named_ones_are_looked_at(
    store: DocumentStore, connection: Connection, index: Index
) -> None:
    store.upsert(connection, index, [*parts("a", 2, source="doc_1"), *parts("b", 2, source="doc_2")])

    store.keep_only(connection, index, {"a_0": 1}, Sources(document_ids=["doc_1"]))
    store.keep_only(connection, index, {}, Sources(object_ids=["obj_1"]))

    assert ids(store, connection, index) == ["a_0", "b_0", "b_1"]


# Halves and quarters: sums are exact, so that brute force and the store agree on ties to the last bit.
COORDINATES = st.integers(-8, 8).map(lambda n: n / 4)
VECTORS = st.lists(COORDINATES, min_size=DIMENSION, max_size=DIMENSION).filter(any)


def brute_force(vectors: dict[str, list[float]], query: list[float], metric: Metric, k: int) -> list[tuple[str, float]]:
    ids = sorted(vectors)
    matrix, q = np.array([vectors[i] for i in ids]), np.array(query)
    if metric == "dot":
        scores = matrix @ q
    elif metric == "cosine":
        scores = (matrix @ q) / (np.linalg.norm(matrix, axis=1) * np.linalg.norm(q))
    else:
        scores = 1 / (1 + np.linalg.norm(matrix - q, axis=1))
    order = sorted(range(len(ids)), key=lambda at: (-round(float(scores[at]), 9), ids[at]))
    return [(ids[at], float(scores[at])) for at in order[:k]]


@pytest.mark.parametrize("metric", METRICS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(stored=st.lists(VECTORS, min_size=1, max_size=12), query=VECTORS, k=st.integers(1, 15))
def test_a_search_finds_what_brute_force_finds(
    store: DocumentStore,
    connection: Connection,
    new_index: Callable[[], Index],
    metric: Metric,
    stored: list[list[float]],
    query: list[float],
    k: int,
) -> None:
    index = new_index()
    store.upsert(connection, index, [document(f"{at:02}", vector) for at, vector in enumerate(stored)])

    hits = store.search(connection, [index], "vec", query, metric, k)

    expected = brute_force({f"doc_{at:02}": vector for at, vector in enumerate(stored)}, query, metric, k)
    assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], abs=1e-6)
    if metric == "dot":  # exact in binary, so ties are ties; the others may differ in the last bit
        assert [hit.document_id for hit in hits] == [name for name, _ in expected]


@pytest.mark.parametrize("metric", METRICS)
def test_on_many_vectors_the_order_is_that_of_brute_force(
    store: DocumentStore, connection: Connection, index: Index, metric: Metric
) -> None:
    random = np.random.default_rng(7)
    matrix = random.normal(size=(500, 32)).astype(np.float32)
    query = random.normal(size=32).tolist()
    store.upsert(connection, index, [document(f"{at:03}", vector) for at, vector in enumerate(matrix)])

    hits = store.search(connection, [index], "vec", query, metric, 50)

    vectors = {f"doc_{at:03}": vector.tolist() for at, vector in enumerate(matrix)}
    assert [hit.document_id for hit in hits] == [name for name, _ in brute_force(vectors, query, metric, 50)]


def test_a_vector_of_zeros_is_near_nothing_by_cosine_and_no_score_is_without_a_number(
    store: DocumentStore, connection: Connection, index: Index
) -> None:
    vectors = {"a": [0, 0, 0, 0], "b": [1, 0, 0, 0], "c": [-1, 0, 0, 0], "d": [0, 0, 0, 0]}
    store.upsert(connection, index, [document(key, vector) for key, vector in vectors.items()])

    hits = store.search(connection, [index], "vec", [1, 0, 0, 0], "cosine", 4)

    assert [hit.document_id for hit in hits if hit.score] == ["doc_b", "doc_c"]
    assert not any(math.isnan(hit.score) for hit in hits)
    assert store.search(connection, [index], "vec", [0, 0, 0, 0], "cosine", 4) == []


@pytest.mark.parametrize("metric", METRICS)
def test_equal_scores_come_in_order_of_id(
    store: DocumentStore, connection: Connection, index: Index, metric: Metric
) -> None:
    store.upsert(connection, index, [document(key, [1, 0, 0, 0]) for key in "dbac"])

    hits = store.search(connection, [index], "vec", [1, 0, 0, 0], metric, 3)

    assert [hit.document_id for hit in hits] == ["doc_a", "doc_b", "doc_c"]


def test_several_indexes_are_searched_as_one_and_others_not_at_all(
    store: DocumentStore, connection: Connection, new_index: Callable[[], Index]
) -> None:
    first, second, foreign = new_index(), new_index(), new_index()
    store.upsert(connection, first, [document("a", [1, 0, 0, 0]), document("b", [3, 0, 0, 0])])
    store.upsert(connection, second, [document("c", [2, 0, 0, 0])])
    store.upsert(connection, foreign, [document("d", [9, 0, 0, 0])])

    hits = store.search(connection, [first, second], "vec", [1, 0, 0, 0], "dot", 10)
    fetched = store.fetch(connection, [first, second], ["doc_a", "doc_c", "doc_d"], vectors=True)

    assert [(hit.document_id, hit.collection_id) for hit in hits] == [
        ("doc_b", first.collection_id),
        ("doc_c", second.collection_id),
        ("doc_a", first.collection_id),
    ]
    assert {key: found.vectors["vec"][0] for key, found in fetched.items()} == {"doc_a": 1.0, "doc_c": 2.0}


def test_generations_of_a_collection_do_not_mix(store: DocumentStore, connection: Connection, index: Index) -> None:
    connection.execute(
        "INSERT INTO collection_generations (collection_id, generation, plugin_namespace, plugin_id, code_hash,"
        " features) VALUES (%s, 2, 'ns', 'words_2_0_0', '', '[]')",
        [index.collection_id],
    )
    newer = Index(index.collection_id, 2)
    store.upsert(connection, index, [document("a", [1, 0, 0, 0], of=1)])
    store.upsert(connection, newer, [document("a", [0, 1, 0, 0], of=2)])

    assert store.fetch(connection, [index], ["doc_a"])["doc_a"].payload == {"of": 1}
    assert store.fetch(connection, [newer], ["doc_a"], vectors=True)["doc_a"].vectors == {"vec": [0.0, 1.0, 0.0, 0.0]}
    assert [hit.score for hit in store.search(connection, [newer], "vec", [1, 0, 0, 0], "dot", 5)] == [0.0]


def test_features_of_different_dimensions_live_side_by_side(
    store: DocumentStore, connection: Connection, index: Index
) -> None:
    vectors = {"short": np.ones(2, np.float32), "long": np.ones(8, np.float32)}
    store.upsert(connection, index, [NewDocument("doc_a", "btch_1", "obj_1", {}, {}, vectors)])

    assert len(store.search(connection, [index], "short", [1, 1], "cosine", 5)) == 1
    assert len(store.search(connection, [index], "long", [1] * 8, "cosine", 5)) == 1
    assert store.search(connection, [index], "absent", [1, 1], "cosine", 5) == []


def test_pages_in_order_of_id_hold_every_document_once(
    store: DocumentStore, connection: Connection, index: Index
) -> None:
    keys = [f"{at:02}" for at in range(10)]
    store.upsert(connection, index, [document(key, [1, 0, 0, 0]) for key in reversed(keys)])

    seen: list[str] = []
    while page := store.list_page(connection, index, after=seen[-1] if seen else "", limit=3, vectors=True):
        assert len(page) <= 3
        assert all(found.vectors for found in page)
        seen += [found.document_id for found in page]

    assert seen == [f"doc_{key}" for key in keys]


def test_writes_vanish_with_the_transaction_they_were_part_of(
    store: DocumentStore, connection: Connection, index: Index
) -> None:
    with pytest.raises(ZeroDivisionError), connection.transaction():
        store.upsert(connection, index, [document("a", [1, 0, 0, 0])])
        raise ZeroDivisionError

    assert store.count(connection, index) == 0
    assert store.list_page(connection, index, after="", limit=5) == []
