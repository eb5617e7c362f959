"""A namespace with many rows to run leaves another its share: a small batch does not stand behind a large one.

How much longer it takes is measured by `benchmarks/fairness.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from scripts.scaled.database import Node
from scripts.scaled.large_batches import committed, multiply
from scripts.scaled.ports import free_port

from factories.fleets import Fleet, client_of
from factories.platform import bucket_with, collection_of, publish, run_batch, unique
from factories.plugins import MakePlugin
from factories.servers import Server
from factories.waiting import until
from mixpeek import Mixpeek

ROWS, ROUNDS = 200_000, 3
# Of a large batch while a small one runs, when each has a host; alone it has some hundreds to run.
MOST_CHUNKS = 10
# About a millisecond of processor time a row, as of a small model.
WORK = """
    import hashlib

    def vector_of(text):
        digest = text.encode()
        for _ in range(1500):
            digest = hashlib.sha256(digest).digest()
        return [float(byte) for byte in digest[:DIMENSION]]

    batch[FEATURE] = [vector_of(text) for text in batch["data"]]
"""


@contextmanager
def embedded(folder: Path) -> Iterator[tuple[Server, str]]:
    """One server with everything in its data dir."""
    server = Server(folder / "data")
    try:
        yield server.start(), server.database_url
    finally:
        server.discard()


@contextmanager
def apart(folder: Path) -> Iterator[tuple[Server, str]]:
    """One worker and one API process on a PostgreSQL: what has to be shared is shared by all."""
    node = Node(folder / "node", free_port())
    node.start()
    made = Fleet(folder / "fleet", f"postgresql://mixpeek@127.0.0.1:{node.port}/postgres")
    try:
        made.worker()
        yield made.api(), made.database_url
    finally:
        made.discard()
        node.stop()


@pytest.fixture(params=[embedded, apart])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """An API process and the URL of its database."""
    with request.param(tmp_path) as made:
        yield made


def test_a_small_batch_of_one_namespace_does_not_wait_for_a_large_one_of_another(
    running: tuple[Server, str], make_plugin: MakePlugin
) -> None:
    api, database_url = running
    with namespace_of(api) as large, namespace_of(api) as small:
        for client, folder in ((large, "large"), (small, "small")):
            publish(client, make_plugin("words", into=folder, batch=WORK))
        few = collection_of(small, bucket_with(small, [f"text {place}" for place in range(100)]), "words")
        many_id = bucket_with(large, ["text"])
        multiply(database_url, many_id, ROWS)
        many = collection_of(large, many_id, "words")
        started = large.collections.trigger(many.collection_id)
        until(lambda: committed(database_url, started.batch_id), what="the large one is under way", within_s=120)

        meanwhile = []
        for _ in range(ROUNDS):
            before = committed(database_url, started.batch_id)
            assert run_batch(small, few).status == "COMPLETED"
            meanwhile.append(committed(database_url, started.batch_id) - before)

        large.batches.cancel(many_id, started.batch_id)
        large.tasks.wait(started.task_id, timeout_s=60)

    print(f"chunks of the large batch while each of the small ones ran: {meanwhile}")
    assert max(meanwhile) <= MOST_CHUNKS
    assert sum(meanwhile) > 0, "the large batch stood still, so nothing was shared"


def namespace_of(server: Server) -> Mixpeek:
    with client_of(server) as admin:
        namespace = admin.namespaces.create(namespace_name=unique("fair")).namespace_id
    return client_of(server, namespace)
