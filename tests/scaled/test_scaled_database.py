"""A database of several servers: searches read replicas, and a primary that is lost costs a pause."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from scripts.scaled.database import Pair, running_pair

from factories.fleets import Fleet, asking, client_of
from factories.platform import all_documents, bucket_with, collection_of, publish, retriever_over, run_batch, unique
from factories.plugins import MakePlugin
from factories.servers import API_KEY, Server
from factories.waiting import until
from scaled.conftest import MakeFleet

SLOW = """
    import time

    time.sleep(0.15)
    batch[FEATURE] = column_of(batch["data"])
"""
LAG_S = 5


@pytest.fixture
def lone_pair(tmp_path: Path) -> Iterator[Pair]:
    """A pair that a test may break; what is committed may not be on the replica yet."""
    with running_pair(tmp_path / "pair", synchronous=False) as running:
        yield running


@pytest.mark.parametrize("synchronous", [True, False], ids=["synchronous", "asynchronous"])
def test_a_batch_goes_on_after_the_primary_is_lost_and_stores_every_document_once(
    tmp_path: Path, make_fleet: MakeFleet, make_plugin: MakePlugin, synchronous: bool
) -> None:
    with running_pair(tmp_path / "pair", synchronous=synchronous) as pair:
        fleet = make_fleet(pair, chunk_rows="10", batch_hosts="2")
        worker, api = fleet.worker(), fleet.api()
        with client_of(api) as admin:
            namespace = admin.namespaces.create(namespace_name=unique("failover")).namespace_id
        with client_of(api, namespace) as client:
            publish(client, make_plugin("words", batch=SLOW), deploy=True)
            collection = collection_of(client, bucket_with(client, [f"text {place}" for place in range(400)]), "words")
            with asking([api], namespace, {"inference_name": "words", "inputs": {"text": "hello"}}) as told:
                started = client.collections.trigger(collection.collection_id)
                until(lambda: committed(pair.url(database_of(fleet)), 5), what="five chunks are committed", within_s=60)

                began = time.monotonic()
                pair.primary.kill()
                until(lambda: "pauses (database_away)" in worker.log.read_text(), what="the batch says that it pauses")
                pair.promote()
                promoted_s = time.monotonic() - began
                promoted_at, url = datetime.now(UTC), pair.url(database_of(fleet))
                until(lambda: commits_after(url, promoted_at), what="a further chunk is committed", within_s=60)
                resumed_s = time.monotonic() - began
                task = client.tasks.wait(started.task_id, timeout_s=120, poll_s=0.2)
            documents = all_documents(client, collection)

        print(
            f"promoted after {promoted_s:.1f} s, the batch went on after {resumed_s:.1f} s; realtime: answered"
            f" {sum(told.answered.values())}, errors {len(told.errors)}, slowest {told.slowest_s:.1f} s"
        )
        assert task.status == "COMPLETED"
        assert len(documents) == len({document["document_id"] for document in documents}) == 400
        assert (told.errors, told.ends) == ([], [])


def test_searches_read_the_replica_until_it_lags_or_is_lost(
    lone_pair: Pair, make_fleet: MakeFleet, make_plugin: MakePlugin
) -> None:
    fleet = make_fleet(lone_pair)
    name = database_of(fleet)
    replica = lone_pair.replica_url(name)
    fleet.worker()
    api = fleet.api(database_replica_urls=replica, database_replica_lag_s=str(LAG_S))
    with client_of(api) as admin:
        namespace = admin.namespaces.create(namespace_name=unique("replica")).namespace_id
    with client_of(api, namespace) as client, psycopg.connect(replica, autocommit=True) as standby:
        publish(client, make_plugin("words"), deploy=True)
        bucket = bucket_with(client, ["the first text", "the second text"])
        collection = collection_of(client, bucket, "words")
        retriever = retriever_over(client, collection)
        assert run_batch(client, collection).status == "COMPLETED"

        # Also right after it was made: what the replica does not have yet is looked for in the primary.
        assert found(api, namespace, retriever_over(client, collection)) in (0, 2)
        until(lambda: "searches read it" in api.log.read_text(), what="the replica is read")
        until(lambda: found(api, namespace, retriever) == 2, what="the replica has the documents")
        before = transactions(standby)
        assert [found(api, namespace, retriever) for _ in range(10)] == [2] * 10
        until(lambda: transactions(standby) >= before + 10, what="the replica tells of its transactions")

        gone = all_documents(client, collection)[0]["document_id"]
        standby.execute("SELECT pg_wal_replay_pause()")
        client.documents.delete(collection.collection_id, gone)
        # At once: a replica that lags for longer than LAG_S is not asked any more.
        behind, up_to_date = found(api, namespace, retriever), found(api, namespace, retriever, "primary")
        until(lambda: found(api, namespace, retriever) == 1, what="a replica that lags is not read", within_s=20)
        standby.execute("SELECT pg_wal_replay_resume()")
        until(lambda: "searches read it" in api.log.read_text().rpartition("spare it")[2], what="it is read again")

        lone_pair.replica.kill()
        answers = [found(api, namespace, retriever) for _ in range(20)]

    assert (behind, up_to_date) == (2, 1)
    assert answers == [1] * 20


def found(api: Server, namespace: str, retriever: str, read_from: str | None = None) -> int:
    """Return how many documents a retriever finds, by plain HTTP."""
    headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": namespace}
    headers |= {"X-Read-From": read_from} if read_from else {}
    url = f"{api.url}/v1/retrievers/{retriever}/execute"
    answer = httpx.post(url, json={"inputs": {"query": "text"}}, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    return len(answer.json()["documents"])


def database_of(fleet: Fleet) -> str:
    return fleet.database_url.rpartition("/")[2].partition("?")[0]


def transactions(standby: psycopg.Connection[Any]) -> int:
    """Return how many transactions a replica has answered in this database."""
    row = standby.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert row is not None
    return int(row[0])


def committed(url: str, least: int) -> bool:
    """Tell whether the one batch of a database has committed so many chunks."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute("SELECT max(chunks_committed) FROM batch_progress").fetchone()
    return row is not None and (row[0] or 0) >= least


def commits_after(url: str, began: datetime) -> bool:
    """Tell whether a chunk was committed after a moment by the database's clock, which is ours."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute("SELECT max(committed_at) > %s FROM batch_chunks", [began]).fetchone()
    return bool(row and row[0])
