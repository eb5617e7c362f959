"""`kill -9` in the middle of a batch: whichever process it hits, the batch completes with every document once.

And who follows the plugin's log meanwhile gets every line that was kept, once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from factories.platform import all_documents, bucket_with, collection_of, publish, unique
from factories.plugins import write_plugin
from factories.servers import Server
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.db.embedded import EmbeddedPostgres

OBJECTS, CHUNK = 2000, 50
PLUGIN = "slow_words_1_0_0"


@dataclass
class Fragile:
    """A server whose processes may be killed, and the objects that batches run over."""

    server: Server
    client: Mixpeek
    bucket_id: str
    texts: list[str]


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fragile]:
    folder = tmp_path_factory.mktemp("fragile")
    server = Server(folder / "data", {"MIXPEEK_CHUNK_ROWS": str(CHUNK), "MIXPEEK_BATCH_HOSTS": "1"})
    plugin = write_plugin(
        folder / "slow_words",
        batch="""
            import time

            time.sleep(0.001 * len(batch))
            print("a chunk of", len(batch))
            batch[FEATURE] = column_of(batch['data'])
            batch["computed_at"] = time.monotonic_ns()
        """,
    )
    try:
        with server.start().client() as client:
            publish(client, plugin)
            texts = [f"text number {place}" for place in range(OBJECTS)]
            yield Fragile(server, client, bucket_with(client, texts), texts)
            assert server.stop() == 0
    finally:
        server.discard()


def kill_the_supervisor(server: Server) -> None:
    server.kill()
    server.start()


def kill_the_worker(server: Server) -> None:
    kill(server.child_pid("worker"))


def kill_the_api(server: Server) -> None:
    kill(server.child_pid("api"))
    server.wait_until_healthy()


def kill_the_database(server: Server) -> None:
    kill(server.postmaster_pid())
    server.wait_until_healthy(within_s=60)


def kill_everything(server: Server) -> None:
    postmaster = server.postmaster_pid()
    server.kill()
    kill(postmaster)
    server.start()


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def progress(client: Mixpeek, task_id: str) -> dict[str, int]:
    counts: dict[str, int] = client.tasks.get(task_id)["additional_data"].get("progress", {})
    return counts


@pytest.mark.parametrize(
    "crash", [kill_the_supervisor, kill_the_worker, kill_the_api, kill_the_database, kill_everything]
)
def test_a_batch_completes_with_every_document_once_after(crash: Callable[[Server], None], fragile: Fragile) -> None:
    client = fragile.client
    collection = collection_of(client, fragile.bucket_id, "slow_words")
    triggered = client.collections.trigger(collection.collection_id)

    following = client.plugins.follow_logs(PLUGIN, limit=1)
    until(lambda: progress(client, triggered.task_id).get("chunks_committed", 0) >= 2, what="two chunks are committed")
    before = next(following)
    stored = {d["document_id"]: d["computed_at"] for d in all_documents(client, collection)}
    crash(fragile.server)
    task = client.tasks.wait(triggered.task_id, timeout_s=90)
    documents = all_documents(client, collection, return_vectors=True)

    assert 2 * CHUNK <= len(stored) < OBJECTS, "the crash was not in the middle"
    assert task.status == "COMPLETED", task.error
    assert counts_of(task) == {"objects": OBJECTS, "rows": OBJECTS, "written": OBJECTS, "failed": 0, "skipped": 0}
    assert sorted(document["content"] for document in documents) == sorted(fragile.texts)
    assert len({document["document_id"] for document in documents}) == OBJECTS
    assert all(len(document["words_vector"]) == 8 for document in documents)
    computed = {document["document_id"]: document["computed_at"] for document in documents}
    assert {key: computed[key] for key in stored} == stored, "what was committed before the crash is not done again"
    kept = [line.id for line in client.plugins.logs(PLUGIN, limit=1000)["results"] if line.id >= before.id]
    followed = [before.id]
    followed += [next(following).id for _ in kept[1:]]
    following.close()
    assert before.id in kept, "a line that could be read was lost"
    assert followed == kept, "who followed the log missed lines, or saw some twice"


def test_a_batch_killed_between_two_tiers_goes_on_at_the_second(fragile: Fragile) -> None:
    client, texts = fragile.client, fragile.texts[:100]
    bucket_id = bucket_with(client, texts)
    first = collection_of(client, bucket_id, "slow_words", field_passthrough=["content"])
    source = {"type": "collection", "collection_id": first.collection_id}
    recipe = {"feature_extractor_name": "slow_words", "version": "1.0.0", "input_mappings": {"text": "content"}}
    second = client.collections.create(unique("second"), source, {**recipe, "field_passthrough": ["content"]})
    triggered = client.collections.trigger(first.collection_id)
    worker = fragile.server.child_pid("worker")
    postgres = EmbeddedPostgres(fragile.server.data_dir).url
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%batch_tiers%'"

    with psycopg.connect(postgres) as held, psycopg.connect(postgres, autocommit=True) as watching:
        # Whoever is about to plan the second tier waits for its row.
        tier = "SELECT status FROM batch_tiers WHERE batch_id = %s AND tier_num = 1 FOR UPDATE"
        assert held.execute(tier, [triggered.batch_id]).fetchall() == [("PENDING",)]
        until(
            lambda: watching.execute(waiting).fetchall() != [(0,)], what="the first tier is done, the second to begin"
        )
        stored = {d["document_id"]: d["computed_at"] for d in all_documents(client, first)}
        kill(worker)
        until(lambda: fragile.server.child_pid("worker") not in (None, worker), what="another worker runs")
    task = client.tasks.wait(triggered.task_id, timeout_s=90)

    assert task.status == "COMPLETED", task.error
    assert counts_of(task) == {"objects": 200, "rows": 200, "written": 200, "failed": 0, "skipped": 0}
    assert {d["document_id"]: d["computed_at"] for d in all_documents(client, first)} == stored
    documents = all_documents(client, second, return_vectors=True)
    assert sorted(document["content"] for document in documents) == sorted(texts)
    assert {d["_internal"]["lineage"]["source_document_id"] for d in documents} == set(stored)
    assert all(len(document["words_vector"]) == 8 for document in documents)


def counts_of(task: Any) -> dict[str, int]:
    outputs = task["outputs"][0]
    return {name: outputs[name] for name in ("objects", "rows", "written", "failed", "skipped")}
