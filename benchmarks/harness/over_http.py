"""Searches over the whole stack: a server as it is delivered, a retriever, and the query given as a vector."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle

from harness.corpus import Corpus
from harness.figures import Limit
from harness.ours import Platform, running_platform
from harness.store import FEATURE_URI, Store, bare_search, new_index, seconds_of
from harness.target import Target

from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.pool import Database, scalar
from mixpeek.documents import segment_queries
from mixpeek.documents.postgres import PostgresDocuments

ROUNDS, ROUND_S, BARE_SEARCHES = 5, 2.0, 200
INDEXED_WITHIN_S = 1800.0


@contextmanager
def _database_of(platform: Platform) -> Iterator[Database]:
    database = Database(EmbeddedPostgres(platform.folder / "data").url)
    database.open()
    try:
        yield database
    finally:
        database.close()


def _await_indexed(store: Store) -> None:
    """Return once the server's worker has indexed every segment, and merged those that it merges."""
    store.seal()
    deadline = time.monotonic() + INDEXED_WITHIN_S
    while True:
        with store.database.transaction() as connection:
            segments = segment_queries.describe_segments(connection, store.index)
            is_busy = scalar(
                connection,
                "SELECT EXISTS (SELECT FROM tasks WHERE workflow = 'index_segments' AND status NOT IN ('COMPLETED',"
                " 'COMPLETED_WITH_ERRORS', 'FAILED', 'CANCELED'))",
            )
        if (
            not is_busy
            and all(each["state"] == "indexed" or each["is_shared"] for each in segments)
            and (len(segments) == 1 or not any(each["is_shared"] for each in segments))
        ):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not indexed after {INDEXED_WITHIN_S:.0f} s: {segments}")
        time.sleep(0.5)


def _target(platform: Platform, store: Store, corpus: Corpus, k: int) -> Target:
    """Return where a retriever answers the corpus's queries, in turns."""
    search = {"feature_uri": FEATURE_URI, "query": {"input_mode": "vector", "value": "{{INPUT.vector}}"}, "top_k": k}
    parameters = {"searches": [search], "final_top_k": k}
    retriever = platform.client.retrievers.create(
        "searches",
        collection_identifiers=[store.index.collection_id],
        input_schema={"vector": {"type": "array", "required": True}},
        stages=[{"stage_name": "search", "config": {"stage_id": "feature_search", "parameters": parameters}}],
    )
    bodies = [json.dumps({"inputs": {"vector": query.tolist()}}).encode() for query in corpus.queries]
    path = f"/v1/retrievers/{retriever.retriever_id}/execute"
    return Target(platform.port, path, b"\n".join(bodies), platform.headers, platform.process.pid)


def measure_http(corpus: Corpus, k: int) -> list[Limit]:
    """Compare searches over HTTP, their documents read and written, with the bare SQL of them, in turns.

    Each is another search than the one before, as it is for users: asked for the same all the time, the bare SQL finds
    all that it looks at in the processor's own memory, which the rest of a stack takes for itself between two of them.
    """
    with running_platform() as platform, _database_of(platform) as database:
        index = new_index(database, str(platform.client.namespace), corpus.dimensions, "cosine")
        store = Store(database, PostgresDocuments(), index, "cosine")
        for documents in corpus.chunks():
            store.write(documents)
        _await_indexed(store)
        target = _target(platform, store, corpus, k)
        target.settle()
        connection, bare = bare_search(store, corpus.dimensions, k)
        over, ours, theirs, queries = [], [], [], cycle(corpus.queries)
        with connection:
            for _ in range(ROUNDS):
                taken = [seconds_of(lambda: bare(next(queries))) for _ in range(BARE_SEARCHES)]
                theirs.append(1000 * statistics.median(taken))
                ours.append(target.load(1, ROUND_S)["p50_ms"])
                over.append(ours[-1] - theirs[-1])
        print(f"HTTP at p50: {statistics.median(ours):.2f} ms, bare SQL {statistics.median(theirs):.2f} ms", flush=True)
        for concurrency in (1, 8, 32):
            met = target.load(concurrency, 2 * ROUND_S)
            print(
                f"HTTP, {concurrency:2} at a time: {met['rate']:,.0f} requests/s; p50 {met['p50_ms']:.1f}"
                f" p99 {met['p99_ms']:.1f} ms",
                flush=True,
            )
    return [Limit("HTTP over bare SQL at p50, ms", statistics.median(over), "≤", 1.5)]
