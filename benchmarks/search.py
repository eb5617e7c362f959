"""Searches of the document store beside the bare SQL, at rest, filtered, and during an ingest and the index builds.

    search.py                    100,000 vectors of 384 dimensions, and 5,000 small collections
    search.py --large            1,000,000 of 128
    search.py --rows N --dimensions D

What is compared was measured in one run, in turns. Bare SQL is one prepared `ORDER BY … LIMIT` over the same segments,
on a connection of its own. HTTP, retrievers and their stages are not part of it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

import numpy as np  # noqa: E402
import psycopg  # noqa: E402
from harness.figures import Limit, judge, percentile  # noqa: E402
from harness.store import FEATURE, Store, new_index, new_namespace, running_database  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from mixpeek.db.pool import Database  # noqa: E402
from mixpeek.documents import segment_queries  # noqa: E402
from mixpeek.documents.port import NewDocument  # noqa: E402
from mixpeek.documents.postgres import PostgresDocuments  # noqa: E402
from mixpeek.filters.model import Filter  # noqa: E402
from mixpeek.filters.parse import parse_filter  # noqa: E402

K, CHUNK, QUERIES = 10, 1000, 200
CENTRES, SPREAD = 200, 0.7
SMALL_COLLECTIONS, SMALL_ROWS, SMALL_DIMENSIONS = 5000, 20, 64
# One document in so many passes each filter.
FILTERS = {"unfiltered": 1, "5 %": 20, "0.1 %": 1000}
Vectors = NDArray[np.float32]


def clustered(rows: int, dimensions: int, random: np.random.Generator, centres: Vectors) -> Vectors:
    made = centres[random.integers(0, len(centres), rows)] + SPREAD * random.normal(size=(rows, dimensions))
    unit: Vectors = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return unit


def chunks(matrix: Vectors) -> Iterator[list[NewDocument]]:
    # Ids in no order, as those of real documents are.
    names = np.random.default_rng(1).permutation(len(matrix))
    for start in range(0, len(matrix), CHUNK):
        yield [
            NewDocument(
                f"doc_{names[n]:08}",
                "btch_1",
                f"obj_{n}",
                {"number": n, **{f"in_{m}": n % m for m in FILTERS.values()}, "label": f"label {n % 97} of a row"},
                {"lineage": {"root_object_id": f"obj_{n}"}},
                {FEATURE: matrix[n]},
            )
            for n in range(start, min(start + CHUNK, len(matrix)))
        ]


def seconds_of(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def ms(values: Sequence[float]) -> str:
    return f"p50 {1000 * statistics.median(values):7.2f}  p99 {1000 * percentile(values, 0.99):7.2f} ms"


class Background:
    """Searches one after the other, from the moment it is entered to its end."""

    def __init__(self, store: Store, queries: Vectors) -> None:
        self._store, self._queries = store, queries
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seconds: list[float] = []
        self.failed: list[str] = []

    def __enter__(self) -> Background:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._ended.is_set():
            query = self._queries[number % len(self._queries)]
            number += 1
            try:
                self.seconds.append(seconds_of(partial(self._store.search, query, K)))
            except Exception as error:
                self.failed.append(f"{type(error).__name__}: {error}")
            self._ended.wait(0.02)


def bare_search(store: Store, dimensions: int) -> tuple[psycopg.Connection[Any], Callable[[Vectors], Any]]:
    connection = psycopg.connect(store.database.url)
    [layout] = segment_queries.layouts(connection, [store.index])
    connection.execute("SET hnsw.ef_search = 200; SET max_parallel_workers_per_gather = 0")
    connection.commit()
    kind = f"vector({dimensions})"

    def search(query: Vectors) -> Any:
        text = "[" + ",".join(map(repr, query.tolist())) + "]"
        rows = connection.execute(
            f"SELECT document_id, (embedding::{kind}) <=> %(q)s::{kind} AS distance FROM {layout.table}"
            f" WHERE feature = '{FEATURE}' ORDER BY (embedding::{kind}) <=> %(q)s::{kind} LIMIT {K}",
            {"q": text},
            prepare=True,
        ).fetchall()
        connection.commit()
        return rows

    return connection, search


def recall(store: Store, matrix: Vectors, queries: Vectors, one_in: int, where: Filter | None) -> float:
    names = np.random.default_rng(1).permutation(len(matrix))
    passing = np.arange(0, len(matrix), one_in)
    shares = []
    for query in queries[:50]:
        near = passing[np.argsort(-(matrix[passing] @ query))[:K]]
        wanted = {f"doc_{names[n]:08}" for n in near}
        shares.append(len({hit.document_id for hit in store.search(query, K, where)} & wanted) / K)
    return statistics.fmean(shares)


def measure_large(database: Database, namespace_id: str, rows: int, dimensions: int) -> list[Limit]:
    random = np.random.default_rng(0)
    centres = random.normal(size=(CENTRES, dimensions)).astype(np.float32)
    matrix, queries = (clustered(n, dimensions, random, centres) for n in (rows, QUERIES))
    store = Store(database, PostgresDocuments(), new_index(database, namespace_id, dimensions, "cosine"), "cosine")
    with Background(store, queries) as during:
        began = time.perf_counter()
        for documents in chunks(matrix):
            store.write(documents)
        loaded = time.perf_counter() - began
        print(f"ingest: {rows / loaded:,.0f} rows/s; searches meanwhile: {ms(during.seconds)}", flush=True)
        before = len(during.seconds)
        built = seconds_of(store.build)
        print(f"build: {built:.0f} s; searches meanwhile: {ms(during.seconds[before:])}", flush=True)
    print(f"searches during both: {len(during.seconds)}, {len(during.failed)} failed; {ms(during.seconds)}", flush=True)
    limits = [
        Limit("failed searches during ingest and build", len(during.failed), "≤", 0),
        Limit("p99 during ingest and build, ms", 1000 * percentile(during.seconds, 0.99), "≤", 250),
    ]
    with database.transaction() as connection:
        print(
            "segments:", [(s["rows"], s["state"]) for s in segment_queries.describe_segments(connection, store.index)]
        )
    connection_of_bare, bare = bare_search(store, dimensions)
    with connection_of_bare:
        for query in queries[:50]:
            bare(query)
            store.search(query, K)
        ours, theirs = [], []
        for query in queries:
            theirs.append(seconds_of(partial(bare, query)))
            ours.append(seconds_of(partial(store.search, query, K)))
    print(f"bare SQL     {ms(theirs)}", flush=True)
    print(f"unfiltered   {ms(ours)}", flush=True)
    over = 1000 * (statistics.median(ours) - statistics.median(theirs))
    limits += [
        Limit("store over bare SQL at p50, ms", over, "≤", 1.5),
        Limit("unfiltered at p50, ms", 1000 * statistics.median(ours), "≤", 4 if rows <= 100_000 else 20),
        Limit("recall@10, unfiltered", recall(store, matrix, queries, 1, None), "≥", 0.98),
    ]
    for name, one_in in list(FILTERS.items())[1:]:
        where = parse_filter({"field": f"in_{one_in}", "operator": "eq", "value": 0}, case_sensitive=True)
        taken = [seconds_of(partial(store.search, query, K, where)) for query in queries[:100]]
        print(f"{name:12} {ms(taken)}", flush=True)
        limits.append(Limit(f"recall@10, {name}", recall(store, matrix, queries, one_in, where), "≥", 0.98))
    for threads in (1, 8, 32):
        with ThreadPoolExecutor(threads) as pool:
            began = time.perf_counter()
            for done in [pool.submit(store.search, query, K) for query in [*queries, *queries]]:
                done.result()
        print(f"{threads:2} at a time: {2 * len(queries) / (time.perf_counter() - began):,.0f} searches/s", flush=True)
    return limits


def measure_small(database: Database, namespace_id: str) -> list[Limit]:
    """Search one small collection, alone and among thousands."""
    random = np.random.default_rng(2)
    matrix = random.normal(size=(SMALL_ROWS, SMALL_DIMENSIONS)).astype(np.float32)
    documents = next(chunks(matrix))

    def made() -> Store:
        index = new_index(database, namespace_id, SMALL_DIMENSIONS, "cosine")
        store = Store(database, PostgresDocuments(), index, "cosine")
        store.write(documents)
        return store

    def median_of(stores: Sequence[Store]) -> float:
        taken = []
        for turn in range(600):
            store, query = stores[turn % len(stores)], matrix[turn % SMALL_ROWS]
            taken.append(seconds_of(partial(store.search, query, K)))
        return statistics.median(taken[100:])

    alone = median_of([made()])
    stores = [made() for _ in range(SMALL_COLLECTIONS)]
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    among = median_of(stores[:: SMALL_COLLECTIONS // 50])
    print(
        f"a small collection: alone {1000 * alone:.2f} ms, among {SMALL_COLLECTIONS} {1000 * among:.2f} ms", flush=True
    )
    return [Limit(f"among {SMALL_COLLECTIONS} small collections over alone", among / alone, "≤", 1.5)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--large", action="store_true", help="1,000,000 vectors of 128 dimensions; half an hour")
    parser.add_argument("--only", choices=["large", "small"], help="one large collection, or many small ones")
    chosen = parser.parse_args()
    rows, dimensions = (1_000_000, 128) if chosen.large else (chosen.rows, chosen.dimensions)
    limits: list[Limit] = []
    with tempfile.TemporaryDirectory() as directory, running_database(Path(directory)) as database:
        namespace_id = new_namespace(database)
        if chosen.only != "large":
            limits += measure_small(database, namespace_id)
        if chosen.only != "small":
            limits += measure_large(database, namespace_id, rows, dimensions)
    return 0 if judge(limits) else 1


if __name__ == "__main__":
    sys.exit(main())
