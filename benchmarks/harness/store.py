"""A document store of one's own for a benchmark: an embedded PostgreSQL, and one collection with one feature."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.pool import Database, new_id
from mixpeek.db.schema import migrate
from mixpeek.documents import segment_queries
from mixpeek.documents.port import Hit, Index, Metric, NewDocument
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.documents.segment_building import SegmentBuilder
from mixpeek.filters.model import Filter
from mixpeek.tenancy.service import bootstrap, create_namespace

FEATURE = "embedding"
FEATURE_URI = f"mixpeek://benchmark@1.0.0/{FEATURE}"


@dataclass(frozen=True)
class Store:
    """One collection; every call is a transaction of its own, as a request's is."""

    database: Database
    documents: PostgresDocuments
    index: Index
    metric: Metric

    def write(self, documents: Sequence[NewDocument]) -> None:
        with self.database.transaction() as connection:
            self.documents.upsert(connection, self.index, documents)

    def search(self, vector: NDArray[np.float32], k: int, where: Filter | None = None) -> list[Hit]:
        with self.database.transaction() as connection:
            return self.documents.search(
                connection, [self.index], FEATURE, vector.tolist(), self.metric, k, where=where
            )

    def search_text(self, query: str, k: int, where: Filter | None = None) -> list[Hit]:
        with self.database.transaction() as connection:
            return self.documents.search_text(connection, [self.index], query, k, where=where)

    def build(self) -> list[str]:
        """Index and merge segments until nothing is left to do, the open one too, as when a batch ends."""
        self.seal()
        builder, steps = SegmentBuilder(self.database), list[str]()
        while step := builder.next_step(self.index, "task_benchmark"):
            steps.append(step)
        return steps

    def seal(self) -> None:
        """Have no segment take any more documents."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE segments SET state = 'sealed' WHERE collection_id = %s AND state = 'open'"
                " AND table_name IS NOT NULL",
                [self.index.collection_id],
            )


def seconds_of(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def bare_search(
    store: Store, dimensions: int, k: int
) -> tuple[psycopg.Connection[Any], Callable[[NDArray[np.float32]], Any]]:
    """Return a connection, and what searches on it by one prepared statement over the segments of a collection."""
    connection = psycopg.connect(store.database.url)
    with store.database.transaction() as reading:
        [layout] = segment_queries.layouts(reading, [store.index])
    connection.execute("SET hnsw.ef_search = 200; SET max_parallel_workers_per_gather = 0")
    connection.commit()
    kind = f"vector({dimensions})"

    def search(query: NDArray[np.float32]) -> Any:
        text = "[" + ",".join(map(repr, query.tolist())) + "]"
        rows = connection.execute(
            f"SELECT document_id, (embedding::{kind}) <=> %(q)s::{kind} AS distance FROM {layout.table}"
            f" WHERE feature = '{FEATURE}' ORDER BY (embedding::{kind}) <=> %(q)s::{kind} LIMIT {k}",
            {"q": text},
            prepare=True,
        ).fetchall()
        connection.commit()
        return rows

    return connection, search


def new_index(database: Database, namespace_id: str, dimensions: int, metric: Metric) -> Index:
    """Make an empty collection."""
    collection_id = new_id("col")
    feature = {"name": FEATURE, "dimensions": dimensions, "distance": metric, "feature_uri": FEATURE_URI}
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO collections (collection_id, namespace_id, collection_name, source, feature_extractor,"
            " output_schema) VALUES (%s, %s, %s, '{}', %s, '{}')",
            [collection_id, namespace_id, collection_id, Jsonb({"feature_extractor_name": "benchmark"})],
        )
        connection.execute(
            "INSERT INTO collection_generations (collection_id, generation, plugin_namespace, plugin_id, code_hash,"
            " features) VALUES (%s, 1, %s, 'benchmark_1_0_0', '', %s)",
            [collection_id, namespace_id, Jsonb([feature])],
        )
    return Index(collection_id, 1)


def new_namespace(database: Database) -> str:
    fields = {
        "namespace_name": "benchmark",
        "namespace_type": "standard",
        "description": None,
        "feature_extractors": [],
        "payload_indexes": [],
        "auto_create_indexes": False,
    }
    with database.transaction() as connection:
        return create_namespace(connection, bootstrap(connection, "sk_benchmark"), fields).namespace_id


@contextmanager
def running_database(directory: Path) -> Iterator[Database]:
    """Yield a migrated database that is stopped at the end."""
    postgres = EmbeddedPostgres(directory)
    postgres.start()
    try:
        migrate(postgres.url)
        database = Database(postgres.url, max_connections=40)
        database.open()
        try:
            yield database
        finally:
            database.close()
    finally:
        postgres.stop()


@contextmanager
def running_store(directory: Path, dimensions: int, metric: Metric) -> Iterator[Store]:
    with running_database(directory) as database:
        index = new_index(database, new_namespace(database), dimensions, metric)
        yield Store(database, PostgresDocuments(), index, metric)
