"""What one document, one plugin version and one host take: the figures that `capacity.py` multiplies.

Absolute figures, unlike what the other benchmarks print: they say how much of a thing there will be, as good as the
machine is like yours. `--rows` documents of 384 dimensions with a small payload are written, indexed, searched,
dumped and restored; `--versions` versions of one plugin are published and one is deployed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

import psycopg  # noqa: E402
from harness.corpus import CHUNK, Corpus  # noqa: E402
from harness.ours import running_platform, tree_of, write_trivial  # noqa: E402
from harness.store import running_store, seconds_of  # noqa: E402

from mixpeek.backups import programs  # noqa: E402
from mixpeek.db.embedded import EmbeddedPostgres  # noqa: E402

DIMENSIONS, K = 384, 10


def tell(name: str, value: float, unit: str) -> None:
    print(f"{name:<44} {value:>12,.2f} {unit}", flush=True)


def measure_documents(rows: int) -> None:
    """Tell what a document takes on disk, to write, to index, to search and to carry away and back."""
    corpus = Corpus(rows, DIMENSIONS)
    with tempfile.TemporaryDirectory() as folder, running_store(Path(folder), DIMENSIONS, "cosine") as store:
        url = store.database.url
        before = _size(url)
        writing = 0.0
        for documents in corpus.chunks():
            writing += seconds_of(partial(store.write, documents))
        tell("document, written", 1e6 * writing / rows, "µs")
        tell("document, indexed", 1e6 * seconds_of(store.build) / rows, "µs")
        tell("document, in the database", (_size(url) - before) / rows, "bytes")
        tell("document, of that its vector's index", _index_size(url) / rows, "bytes")
        taken = [seconds_of(partial(store.search, query, K)) for query in corpus.queries]
        tell(f"search of {rows:,}, 1 connection", 1000 * statistics.median(taken), "ms")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            found = connection.execute("SELECT pg_export_snapshot()").fetchone()
            assert found is not None
            pieces: list[bytes] = []
            seconds = seconds_of(lambda: pieces.extend(programs.dump(url, found[0], 18)))
        tell("document, dumped", 1e6 * seconds / rows, "µs")
        tell("document, in the dump", sum(map(len, pieces)) / rows, "bytes")
        with tempfile.TemporaryDirectory() as elsewhere:
            target = EmbeddedPostgres(Path(elsewhere))
            target.start()
            try:
                seconds = seconds_of(lambda: programs.restore(target.url, pieces, 18))
            finally:
                target.stop()
        tell("document, restored, indexes built", 1e6 * seconds / rows, "µs")


def measure_versions(versions: int) -> None:
    """Tell what a plugin version takes, and a host."""
    with running_platform() as platform:
        url = EmbeddedPostgres(platform.folder / "data").url
        platform.publish(write_trivial(platform.folder, version="0.0.1"), "0.0.1")
        before = _size(url)
        sources = [write_trivial(platform.folder, version=f"1.0.{number}") for number in range(versions)]
        seconds = seconds_of(lambda: [platform.publish(each, f"1.0.{n}") for n, each in enumerate(sources)])
        tell("version, published", 1000 * seconds / versions, "ms")
        tell("version, in the database", (_size(url) - before) / versions, "bytes")
        platform.deploy("trivial_1_0_0")
        for members in platform.hosts():
            tell("host without a model, PSS", sum(each.memory_full_info().pss for each in members) / 1e6, "MB")
        for role in ("api", "worker"):
            own = next(each for each in tree_of(platform) if f"mixpeek.server.{role}" in each.cmdline())
            tell(f"{role} process, PSS", own.memory_full_info().pss / 1e6, "MB")


def _size(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert found is not None
    return int(found[0])


def _index_size(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT COALESCE(sum(pg_relation_size(c.oid)), 0) FROM pg_class c"
            " JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'hnsw'"
        ).fetchone()
    assert found is not None
    return int(found[0])


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=20 * CHUNK)
    arguments.add_argument("--versions", type=int, default=50)
    given = arguments.parse_args()
    measure_documents(given.rows)
    measure_versions(given.versions)
    return 0


if __name__ == "__main__":
    sys.exit(main())
