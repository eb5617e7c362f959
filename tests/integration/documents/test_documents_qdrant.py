"""Vectors in Qdrant and their rows in PostgreSQL: no transaction spans both, and nobody sees a half of one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from psycopg.types.json import Jsonb
from qdrant_client import QdrantClient

from factories.indexes import NewIndex
from factories.qdrant import cluster, documents_over
from factories.seaweed import free_ports
from mixpeek.db.pool import Database, scalar
from mixpeek.documents.addresses import QdrantAddress
from mixpeek.documents.opening import open_documents
from mixpeek.documents.port import DocumentStore, Index, NewDocument
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.documents.qdrant import vectors
from mixpeek.documents.qdrant.cluster import Cluster
from mixpeek.documents.qdrant.errors import FilterTooWide, MetricNotStored, SearchTooDeep, VectorStoreAway
from mixpeek.documents.qdrant.points import METRICS
from mixpeek.documents.qdrant.sweeping import sweep
from mixpeek.documents.qdrant.vectors import QdrantVectors
from mixpeek.documents.segments import Limits
from mixpeek.errors import SettingInvalid
from mixpeek.filters.parse import parse_filter

AT_ONCE = timedelta(0)


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def store(running: Cluster, database: Database) -> DocumentStore:  # type: ignore[override]
    return documents_over(running, database)


@pytest.fixture
def index(database: Database, committed_index: NewIndex) -> Iterator[Index]:
    """An index that other transactions see too; gone afterwards."""
    made = committed_index()
    yield made
    with database.transaction() as connection:
        connection.execute("DELETE FROM collections WHERE collection_id = %s", [made.collection_id])


def documents(count: int, value: float = 1.0, **payload: Any) -> list[NewDocument]:
    vector = np.array([value, 0.5], np.float32)
    return [
        NewDocument(f"doc_{n:03}", "btch_1", "obj_1", {**payload, "n": n}, {}, {"vec": vector}) for n in range(count)
    ]


def found(store: DocumentStore, database: Database, index: Index, k: int = 10, **options: Any) -> list[str]:
    with database.transaction() as connection:
        hits = store.search(connection, [index], "vec", [1.0, 0.0], "dot", k, **options)
    return [hit.document_id for hit in hits]


def test_a_write_that_is_never_committed_is_never_found_and_is_swept(
    store: DocumentStore, running: Cluster, database: Database, index: Index
) -> None:
    sweep(database, running, AT_ONCE)
    before = running.count()
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        store.upsert(connection, index, documents(3))
        raise ZeroDivisionError
    left = running.count() - before

    unseen = found(store, database, index)
    young = sweep(database, running)
    swept = sweep(database, running, AT_ONCE)

    assert left > 0
    assert unseen == []
    assert (young, swept) == (0, 1)
    assert running.count() == before


def test_a_replacement_that_is_never_committed_leaves_what_was_there(
    store: DocumentStore, running: Cluster, database: Database, index: Index
) -> None:
    with database.transaction() as connection:
        store.upsert(connection, index, documents(2, 1.0))
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        store.upsert(connection, index, documents(2, 9.0))
        raise ZeroDivisionError
    sweep(database, running, AT_ONCE)

    with database.transaction() as connection:
        kept = store.fetch(connection, [index], ["doc_000"], vectors=True)["doc_000"].vectors
        hits = store.search(connection, [index], "vec", [1.0, 0.0], "dot", 5)

    assert kept == {"vec": [1.0, 0.5]}
    assert [(hit.document_id, hit.score) for hit in hits] == [("doc_000", 1.0), ("doc_001", 1.0)]


def test_a_write_under_way_is_not_taken_for_given_up(
    store: DocumentStore, running: Cluster, database: Database, index: Index
) -> None:
    with database.transaction() as connection:
        store.upsert(connection, index, documents(2))
        sweep(database, running, AT_ONCE)

    assert found(store, database, index) == ["doc_000", "doc_001"]


def test_what_is_replaced_or_deleted_is_not_found_from_the_commit_on_and_swept_later(
    store: DocumentStore, running: Cluster, database: Database, index: Index
) -> None:
    sweep(database, running, AT_ONCE)
    before = running.count()
    with database.transaction() as connection:
        store.upsert(connection, index, documents(4))
        per_document = (running.count() - before) // 4
        store.upsert(connection, index, documents(1, 2.0))
        store.delete(connection, index, ["doc_003"])

    at_once = found(store, database, index)
    held = running.count() - before
    sweep(database, running)

    assert at_once == ["doc_000", "doc_001", "doc_002"]
    assert held == 5 * per_document
    assert running.count() - before == 3 * per_document
    assert found(store, database, index) == at_once


def test_a_cascade_is_swept_as_well(
    store: DocumentStore, running: Cluster, database: Database, committed_index: NewIndex
) -> None:
    sweep(database, running, AT_ONCE)
    before, index = running.count(), committed_index()
    with database.transaction() as connection:
        store.upsert(connection, index, documents(3))
    with database.transaction() as connection:
        connection.execute("DELETE FROM collections WHERE collection_id = %s", [index.collection_id])

    assert sweep(database, running) > 0
    assert running.count() == before


def test_a_rare_filter_and_a_common_one_find_the_same_as_all_documents_would(
    store: DocumentStore, database: Database, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "MOST_TRIED", 20)
    monkeypatch.setattr(vectors, "PASSING_AT_ONCE", 7)
    random = np.random.default_rng(3)
    made = [
        NewDocument(f"doc_{n:03}", "btch_1", "obj_1", {"n": n}, {}, {"vec": random.normal(size=2).astype(np.float32)})
        for n in range(200)
    ]
    with database.transaction() as connection:
        store.upsert(connection, index, made)
    order = sorted(made, key=lambda each: (-float(each.vectors["vec"][0]), each.document_id))

    for condition, passes in [
        ({"field": "n", "operator": "gte", "value": 190}, lambda n: n >= 190),
        ({"field": "n", "operator": "lt", "value": 150}, lambda n: n < 150),
        ({"field": "n", "operator": "eq", "value": 7}, lambda n: n == 7),
    ]:
        where = parse_filter(condition, case_sensitive=True)
        expected = [each.document_id for each in order if passes(each.payload["n"])][:5]
        assert found(store, database, index, 5, where=where) == expected


def test_what_cannot_be_answered_exactly_is_refused_by_name(
    store: DocumentStore, database: Database, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "MOST_TRIED", 20)
    monkeypatch.setattr(vectors, "MOST_LOOKED", 20)
    monkeypatch.setattr(vectors, "MOST_PASSING", 10)
    with database.transaction() as connection:
        store.upsert(connection, index, documents(40))
    where = parse_filter({"field": "n", "operator": "gte", "value": 20}, case_sensitive=True)

    with pytest.raises(SearchTooDeep):  # forty that are equal
        found(store, database, index, 3)
    with pytest.raises(FilterTooWide):
        found(store, database, index, 3, where=where)


def test_more_that_are_equal_than_are_asked_for_come_in_order_of_id(
    store: DocumentStore, database: Database, index: Index
) -> None:
    with database.transaction() as connection:
        store.upsert(connection, index, documents(100)[::-1])

    assert found(store, database, index, 3) == ["doc_000", "doc_001", "doc_002"]


def test_a_feature_is_compared_by_the_metric_that_it_declares_and_by_no_other(
    store: DocumentStore, running: Cluster, database: Database, index: Index
) -> None:
    feature = {"name": "vec", "dimensions": 2, "distance": "cosine"}
    sweep(database, running, AT_ONCE)
    before = running.count()
    with database.transaction() as connection:
        connection.execute(
            "UPDATE collection_generations SET features = %s WHERE collection_id = %s",
            [Jsonb([feature]), index.collection_id],
        )
        store.upsert(connection, index, documents(2, 3.0))
        hits = store.search(connection, [index], "vec", [6.0, 1.0], "cosine", 5)
        read = store.fetch(connection, [index], ["doc_000"], vectors=True)["doc_000"].vectors

    assert [hit.score for hit in hits] == pytest.approx([1.0, 1.0], abs=1e-6)
    assert read == {"vec": [3.0, 0.5]}
    assert running.count() - before == 2
    with pytest.raises(MetricNotStored, match="stored for cosine, not for dot"):
        found(store, database, index)


def test_a_filter_that_passes_nothing_finds_nothing_by_any_metric_that_is_stored(
    store: DocumentStore, database: Database, index: Index
) -> None:
    nothing = parse_filter({"field": "name", "operator": "eq", "value": "nobody"}, case_sensitive=True)
    with database.transaction() as connection:
        store.upsert(connection, index, documents(10))
        # By no index the rows come as they were written: metric after metric.
        for way in ("indexscan", "indexonlyscan", "bitmapscan"):
            connection.execute(f"SET LOCAL enable_{way} = off")
        for metric in METRICS:
            assert store.search(connection, [index], "vec", [1.0, 0.0], metric, 5, where=nothing) == []


def test_a_vector_without_a_direction_is_kept_and_compared_with_nothing(
    store: DocumentStore, database: Database, index: Index
) -> None:
    nowhere = NewDocument("doc_0", "btch_1", "obj_1", {}, {}, {"vec": np.zeros(2, np.float32)})
    with database.transaction() as connection:
        store.upsert(connection, index, [nowhere])
        hits = store.search(connection, [index], "vec", [1.0, 0.0], "cosine", 5)
        read = store.fetch(connection, [index], ["doc_0"], vectors=True)["doc_0"].vectors

    assert hits == []
    assert read == {"vec": [0.0, 0.0]}


def test_a_cluster_that_does_not_answer_is_away_and_the_write_comes_to_nothing(
    database: Database, index: Index
) -> None:
    [port] = free_ports(1)
    nobody = Cluster(QdrantClient(url=f"http://127.0.0.1:{port}", check_compatibility=False, timeout=2))
    store = PostgresDocuments(Limits(shared_rows=sys.maxsize), QdrantVectors(nobody, database))

    with pytest.raises(VectorStoreAway), database.transaction() as connection:
        store.upsert(connection, index, documents(1))
    with pytest.raises(VectorStoreAway):
        found(store, database, index)
    with pytest.raises(VectorStoreAway):
        sweep(database, nobody, AT_ONCE)

    with database.transaction() as connection:
        assert store.count(connection, index) == 0
        assert scalar(connection, "SELECT count(*) FROM vector_writes") == 1
        connection.execute("DELETE FROM vector_writes")


def test_a_store_is_not_opened_where_the_vectors_lie_elsewhere(
    store: DocumentStore, database: Database, index: Index
) -> None:
    with database.transaction() as connection:
        store.upsert(connection, index, documents(1))

    with pytest.raises(SettingInvalid, match="lie in a Qdrant cluster"):
        open_documents(None, None, database)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("qdrant://one", QdrantAddress("one", 6333, is_tls=False)),
        ("qdrants://one:443/", QdrantAddress("one", 443, is_tls=True)),
        ("qdrant://one?shards=6&replicas=2", QdrantAddress("one", 6333, is_tls=False, shards=6, replicas=2)),
    ],
)
def test_an_address_is_read(url: str, address: QdrantAddress) -> None:
    assert QdrantAddress.from_url(url) == address


@pytest.mark.parametrize(
    "url", ["one", "http://one", "qdrant://", "qdrant://one:x", "qdrant://one?shard=1", "qdrant://one?shards=a"]
)
def test_what_names_no_cluster_is_refused(url: str) -> None:
    with pytest.raises(SettingInvalid, match="MIXPEEK_DOCUMENTS_URL"):
        QdrantAddress.from_url(url)
