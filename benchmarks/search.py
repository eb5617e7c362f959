"""Searches beside the bare SQL and Qdrant Edge: at rest, filtered, during an ingest and index builds, and over HTTP.

    search.py                    100,000 vectors of 384 dimensions, and 5,000 small collections
    search.py --large            1,000,000 of 128; with --only store that part alone, in half a gigabyte of its own
    search.py --rows N --dimensions D
    search.py --only store|http|small

What is compared was measured in one run, in turns. Bare SQL is one prepared `ORDER BY … LIMIT` over the same segments,
on a connection of its own. Qdrant Edge runs within the process that asks; `peers/install qdrant_edge` gets it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

import numpy as np  # noqa: E402
import psycopg  # noqa: E402
from harness.corpus import CHUNK, FILTERS, Corpus, Vectors  # noqa: E402
from harness.edge import Edge, running_edge  # noqa: E402
from harness.figures import Limit, judge, percentile  # noqa: E402
from harness.over_http import measure_http  # noqa: E402
from harness.store import (  # noqa: E402
    FEATURE,
    Store,
    bare_search,
    new_index,
    new_namespace,
    running_database,
    seconds_of,
)

from mixpeek.db.pool import Database  # noqa: E402
from mixpeek.documents import segment_queries  # noqa: E402
from mixpeek.documents.port import NewDocument  # noqa: E402
from mixpeek.documents.postgres import PostgresDocuments  # noqa: E402
from mixpeek.filters.parse import parse_filter  # noqa: E402

K, JUDGED = 10, 50
# Of HNSW, ours and the peer's: as `documents.vector_columns` and `documents.vector_search` have them.
M, EF = 16, 200
TELL_EVERY_S = 20.0
SMALL_COLLECTIONS, SMALL_ROWS, SMALL_DIMENSIONS = 5000, 20, 64


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


def recall(found: Sequence[set[int]], wanted: Sequence[set[int]]) -> float:
    return statistics.fmean(len(some & near) / K for some, near in zip(found, wanted, strict=False))


def load(store: Store, corpus: Corpus) -> float:
    """Write all documents, telling how far it is, and return the seconds it took."""
    began = told = time.perf_counter()
    for number, documents in enumerate(corpus.chunks(), start=1):
        store.write(documents)
        now = time.perf_counter()
        if now - told > TELL_EVERY_S:
            told, share = now, number * CHUNK / corpus.rows
            print(f"  {share:.0%} written, {(now - began) / share - (now - began):.0f} s to go", flush=True)
    return time.perf_counter() - began


def measure_ingest(store: Store, corpus: Corpus) -> list[Limit]:
    """Search all the time while documents are written and indexed."""
    with Background(store, corpus.queries) as during:
        loaded = load(store, corpus)
        print(f"ingest: {corpus.rows / loaded:,.0f} rows/s; searches meanwhile: {ms(during.seconds)}", flush=True)
        before = len(during.seconds)
        built = seconds_of(store.build)
        print(f"build: {built:.0f} s; searches meanwhile: {ms(during.seconds[before:])}", flush=True)
    print(f"searches during both: {len(during.seconds)}, {len(during.failed)} failed; {ms(during.seconds)}", flush=True)
    for failure in sorted(set(during.failed)):
        print(f"  {failure}", flush=True)
    with store.database.transaction() as connection:
        segments = segment_queries.describe_segments(connection, store.index)
    print("segments:", [(each["rows"], each["state"]) for each in segments], flush=True)
    return [
        Limit("failed searches during ingest and build", len(during.failed), "≤", 0),
        Limit("p99 during ingest and build, ms", 1000 * percentile(during.seconds, 0.99), "≤", 250),
    ]


def measure_at_rest(store: Store, corpus: Corpus, edge: Edge | None) -> list[Limit]:
    """Search as it comes, in turns with the bare SQL, and filtered; beside the peer where there is one."""
    queries, limits = corpus.queries, list[Limit]()
    rows_of = {corpus.name(row): row for row in range(corpus.rows)}
    nearest = corpus.nearest(K, JUDGED)
    connection, bare = bare_search(store, corpus.dimensions, K)
    with connection:
        for query in queries[:50]:
            store.search(query, K)
        first = [seconds_of(partial(store.search, query, K)) for query in queries[50:]]
        ours, theirs = list[float](), list[float]()
        for number, query in enumerate(queries):
            asks = [(theirs, partial(bare, query)), (ours, partial(store.search, query, K))]
            # What each adds is told apart from who finds the pages in memory: both are asked once before.
            for _, ask in asks:
                ask()
            for taken, ask in asks if number % 2 else asks[::-1]:
                taken.append(seconds_of(ask))
    over = 1000 * (statistics.median(ours) - statistics.median(theirs))
    print(f"asked for the first time {ms(first)}", flush=True)
    print(f"asked again              {ms(ours)}; bare SQL {ms(theirs)}", flush=True)
    limits += [
        Limit("store over bare SQL at p50, ms", over, "≤", 1.5),
        Limit("unfiltered at p50, ms", 1000 * statistics.median(first), "≤", 4 if corpus.rows <= 100_000 else 20),
    ]
    for name, one_in in FILTERS.items():
        condition = {"field": f"in_{one_in}", "operator": "eq", "value": 0}
        where = parse_filter(condition, case_sensitive=True) if one_in > 1 else None
        taken = [seconds_of(partial(store.search, query, K, where)) for query in queries]
        found = [{rows_of[hit.document_id] for hit in store.search(query, K, where)} for query in queries[:JUDGED]]
        print(f"ours, {name:18} {ms(taken)}", flush=True)
        limits.append(Limit(f"recall@10, {name}", recall(found, nearest[one_in]), "≥", 0.98))
        if edge is not None:
            answer = edge.search(one_in)
            theirs_found = recall([set(rows) for rows in answer["rows"]], nearest[one_in])
            ratio = statistics.median(taken) / statistics.median(answer["seconds"])
            print(
                f"Qdrant Edge, {name:11} {ms(answer['seconds'])}; recall {theirs_found:.3f};"
                f" ours {ratio:.1f} × its p50",
                flush=True,
            )
    return limits


def measure_store(database: Database, namespace_id: str, corpus: Corpus) -> list[Limit]:
    index = new_index(database, namespace_id, corpus.dimensions, "cosine")
    store = Store(database, PostgresDocuments(), index, "cosine")
    limits = measure_ingest(store, corpus)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"m": M, "ef_construct": 64 if corpus.rows <= 100_000 else 128, "ef": EF, "k": K}
        with running_edge(Path(folder), corpus, **settings) as edge:
            if edge is not None:
                print(f"Qdrant Edge: {edge.about['written_s']:.0f} s written, {edge.about['indexed_s']:.0f} s indexed")
            limits += measure_at_rest(store, corpus, edge)
    queries = [*corpus.queries, *corpus.queries]
    for threads in (1, 8, 32):
        with ThreadPoolExecutor(threads) as pool:
            began = time.perf_counter()
            for done in [pool.submit(store.search, query, K) for query in queries]:
                done.result()
        print(f"{threads:2} at a time: {len(queries) / (time.perf_counter() - began):,.0f} searches/s", flush=True)
    return limits


def measure_small(database: Database, namespace_id: str) -> list[Limit]:
    """Search one small collection, alone and among thousands."""
    random = np.random.default_rng(2)
    matrix = random.normal(size=(SMALL_ROWS, SMALL_DIMENSIONS)).astype(np.float32)
    documents = [
        NewDocument(f"doc_{n}", "btch_1", f"obj_{n}", {"number": n}, {}, {FEATURE: vector})
        for n, vector in enumerate(matrix)
    ]

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
    parser.add_argument("--large", action="store_true", help="1,000,000 vectors of 128 dimensions")
    parser.add_argument("--only", choices=["store", "http", "small"], help="one part of it")
    chosen = parser.parse_args()
    rows, dimensions = (1_000_000, 128) if chosen.large else (chosen.rows, chosen.dimensions)
    limits: list[Limit] = []
    corpus = Corpus(rows, dimensions)
    with tempfile.TemporaryDirectory() as directory, running_database(Path(directory)) as database:
        namespace_id = new_namespace(database)
        if chosen.only in (None, "small"):
            limits += measure_small(database, namespace_id)
        if chosen.only in (None, "store"):
            limits += measure_store(database, namespace_id, corpus)
    if chosen.only in (None, "http"):
        limits += measure_http(corpus, K)
    return 0 if judge(limits) else 1


if __name__ == "__main__":
    sys.exit(main())
