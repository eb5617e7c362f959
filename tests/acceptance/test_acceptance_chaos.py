"""`kill -9` of everything, again and again, at times from a seed, while one batch of 20,000 rows goes on.

The seed is printed; `MIXPEEK_CHAOS_SEED` runs it again.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psutil
import psycopg
import pytest

from factories.platform import bucket_with, collection_of, publish
from factories.plugins import write_plugin
from factories.servers import Server
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.db.embedded import EmbeddedPostgres

ROWS, CHUNK = 20_000, 200
# What is killed at once, and how often; a process that dies often is started again ever later, so none too often.
KILLS = {
    ("host",): 8,
    ("api",): 3,
    ("worker",): 2,
    ("database",): 3,
    ("host", "host", "api"): 2,
    ("worker", "api"): 1,
    ("database", "host"): 1,
    ("database", "worker", "api"): 1,
}
# A line's time is when it was read, a commit's when its transaction began, both by one clock.
SLACK = timedelta(seconds=0.5)


@dataclass
class Chaos:
    """A server with a batch under way, and everything that may be killed."""

    server: Server
    client: Mixpeek
    chance: random.Random
    killed: list[str] = field(default_factory=list)

    def ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the database itself, past all that is killed; once it is there again."""

        def answer() -> list[list[tuple[Any, ...]]] | None:
            try:
                with psycopg.connect(EmbeddedPostgres(self.server.data_dir).url) as connection:
                    return [connection.execute(sql, values).fetchall()]
            except psycopg.OperationalError:
                return None

        found = until(answer, what="the database answers", within_s=60)
        assert found is not None
        return found[0]

    def kill(self, name: str) -> None:
        pid = self._pid(name)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.killed.append(name)

    def _pid(self, name: str) -> int | None:
        if name == "database":
            return self.server.postmaster_pid()
        if name in ("api", "worker"):
            return self.server.child_pid(name)
        worker = self.server.child_pid("worker")
        hosts: list[int] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            hosts = (
                [c.pid for c in psutil.Process(worker).children() if c.name() in ("unshare", "bwrap")] if worker else []
            )
        return self.chance.choice(hosts) if hosts else None


@pytest.fixture
def chaos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chaos]:
    folder = tmp_path_factory.mktemp("chaos")
    server = Server(folder / "data", {"MIXPEEK_CHUNK_ROWS": str(CHUNK), "MIXPEEK_BATCH_HOSTS": "2"})
    seed = int(os.environ.get("MIXPEEK_CHAOS_SEED", secrets.randbelow(2**32)))
    print(f"MIXPEEK_CHAOS_SEED={seed}")
    plugin = write_plugin(
        folder / "brief_words",
        manifest=f'compute_profile = {{"batch_size": {CHUNK}}}',
        batch="""
            import time

            print("ran", batch["document_id"].iloc[0])
            time.sleep(0.06)
            batch[FEATURE] = [[float(len(text))] * DIMENSION for text in batch["data"]]
        """,
    )
    try:
        with server.start().client() as client:
            publish(client, plugin)
            yield Chaos(server, client, random.Random(seed))
    finally:
        server.discard()


def test_a_batch_completes_with_every_document_once_however_much_is_killed_meanwhile(chaos: Chaos) -> None:
    texts = [f"text {place}" for place in range(ROWS)]
    collection = collection_of(chaos.client, bucket_with(chaos.client, texts), "brief_words")
    batch_id = chaos.client.collections.trigger(collection.collection_id).batch_id
    planned = [names for names, times in KILLS.items() for _ in range(times)]
    chaos.chance.shuffle(planned)

    for names in planned:
        # Between two kills something is committed: a batch that never gets that far would show nothing.
        before = committed(chaos, batch_id)
        until(lambda: committed(chaos, batch_id) > before, what="a further chunk is committed", within_s=60)  # noqa: B023
        until(delay(chaos.chance), what="the moment has come")
        for name in names:
            chaos.kill(name)
    until(lambda: status(chaos, batch_id) not in ("PENDING", "IN_PROGRESS"), what="the batch has ended", within_s=90)

    assert len(chaos.killed) >= 20, chaos.killed
    assert status(chaos, batch_id) == "COMPLETED", chaos.ask("SELECT error FROM batches WHERE batch_id = %s", batch_id)
    where = "FROM documents WHERE collection_id = %s"
    assert chaos.ask(f"SELECT count(*), count(DISTINCT object_id) {where}", collection.collection_id) == [(ROWS, ROWS)]
    keys = chaos.ask("SELECT count(*) FROM document_keys WHERE collection_id = %s", collection.collection_id)
    # A collection of so many has a table of its own for its vectors.
    [(number,)] = chaos.ask("SELECT number FROM large_indexes WHERE collection_id = %s", collection.collection_id)
    vectors = chaos.ask(f"SELECT count(*), count(DISTINCT document_id) FROM vectors_{number}")
    assert (keys, vectors) == ([(ROWS,)], [(ROWS, ROWS)])
    assert chaos.ask("SELECT rows, written, failed FROM batch_progress WHERE batch_id = %s", batch_id) == [
        (ROWS, ROWS, 0)
    ]
    late = chaos.ask(
        "SELECT l.message, l.at, c.committed_at FROM plugin_logs l JOIN documents d ON d.collection_id = %s"
        " AND l.message = 'ran ' || d.document_id JOIN batch_chunks c ON c.batch_id = l.batch_id"
        " AND d.object_id = ANY(c.object_ids) WHERE l.batch_id = %s AND l.at > c.committed_at + %s",
        *(collection.collection_id, batch_id, SLACK),
    )
    assert late == [], "a chunk was run after its commit"


def committed(chaos: Chaos, batch_id: str) -> int:
    rows = chaos.ask("SELECT chunks_committed FROM batch_progress WHERE batch_id = %s", batch_id)
    return int(rows[0][0])


def status(chaos: Chaos, batch_id: str) -> str:
    return str(chaos.ask("SELECT status FROM batches WHERE batch_id = %s", batch_id)[0][0])


def delay(chance: random.Random) -> Callable[[], bool]:
    """Return something to wait for that comes at a random moment: the kill must meet any point of a chunk's way."""
    import time

    moment = time.monotonic() + chance.uniform(0.0, 0.15)
    return lambda: time.monotonic() >= moment
