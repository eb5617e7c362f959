"""Two API processes and two workers on one database: what one does all know, and the death of one costs little."""

from __future__ import annotations

import time
from typing import Any

import httpx
import psycopg
from scripts.scaled.database import Pair

from factories.fleets import asking, client_of, hosts_of
from factories.platform import all_documents, bucket_with, collection_of, publish, run_batch, unique
from factories.plugins import MakePlugin
from factories.servers import Server
from factories.waiting import until
from mixpeek import Mixpeek
from scaled.conftest import MakeFleet

SLOW = """
    import time

    time.sleep(0.3)
    batch[FEATURE] = column_of(batch["data"])
"""
# A green host takes so long to be ready that whoever drives the rollout can be killed meanwhile.
LOADING = """
    import time

    time.sleep(4)
"""
BY = "return {{'embedding': embed(request['text']).tolist(), 'answered_by': '{version}'}}"
BODY = {"inference_name": "words", "inputs": {"text": "hello"}}
CALLERS = 2


def test_what_is_done_by_one_process_is_known_to_all(
    pair: Pair, make_fleet: MakeFleet, make_plugin: MakePlugin
) -> None:
    fleet = make_fleet(pair)
    _, _, first, second = fleet.worker(), fleet.worker(), fleet.api(), fleet.api()
    namespace = new_namespace(first)
    with client_of(first, namespace) as one, client_of(second, namespace) as other:
        plugin_id = publish(one, make_plugin("words", predict=BY.format(version="1.0.0")))
        other.plugins.deploy(plugin_id)
        status = other.plugins.wait(plugin_id, timeout_s=60, poll_s=0.1)
        assert status.status == "DEPLOYED", status

        answers = [each.inference.ask("words", {"text": "hello"})["output"]["answered_by"] for each in (one, other)]
        collection = collection_of(other, bucket_with(one, [f"text {place}" for place in range(50)]), "words")
        task = run_batch(one, collection)
        signed = one.plugins.download(plugin_id)["presigned_url"]

        assert httpx.get(signed.replace(first.url, second.url)).status_code == 200, (
            "signed by one, checked by the other"
        )
        assert answers == ["1.0.0", "1.0.0"]
        assert task.status == "COMPLETED"
        assert len(all_documents(other, collection)) == 50


def test_a_switch_reaches_every_api_process_at_once(pair: Pair, make_fleet: MakeFleet, make_plugin: MakePlugin) -> None:
    fleet = make_fleet(pair)
    _, first, second = fleet.worker(), fleet.api(), fleet.api()
    namespace = new_namespace(first)
    with client_of(first, namespace) as one, client_of(second, namespace) as other:
        publish(one, make_plugin("words", predict=BY.format(version="1.0.0")), deploy=True)
        green = make_plugin("words", into="second", version="2.0.0", predict=BY.format(version="2.0.0"))
        with asking([first, second], namespace, BODY) as told:
            publish(one, green, version="2.0.0", deploy=True)
            # Deployed means that both have hosts of it; both heard of the switch when it was committed.
            late = [how_long_until(client, "2.0.0") for client in (one, other)]

    print(
        f"the switch reached both API processes after {max(late) * 1000:.0f} ms; slowest answer {told.slowest_s:.3f} s"
    )
    assert max(late) < 1.0
    assert (told.errors, told.broken, told.refused) == ([], {}, {})


def test_an_api_and_a_worker_that_are_killed_cost_no_batch_no_rollout_and_no_request_of_others(
    pair: Pair, make_fleet: MakeFleet, make_plugin: MakePlugin
) -> None:
    fleet = make_fleet(pair, chunk_rows="10", batch_hosts="2")
    workers = [fleet.worker(), fleet.worker()]
    dying, living = fleet.api(), fleet.api()
    namespace = new_namespace(living)
    with client_of(living, namespace) as client, psycopg.connect(fleet.database_url, autocommit=True) as database:
        publish(client, make_plugin("words", batch=SLOW, predict=BY.format(version="1.0.0")), deploy=True)
        bucket = bucket_with(client, [f"text {place}" for place in range(300)])
        collections = [collection_of(client, bucket, "words") for _ in range(4)]
        green = make_plugin(
            "words", into="second", version="2.0.0", construct=LOADING, predict=BY.format(version="2.0.0")
        )
        second = publish(client, green, version="2.0.0")
        with asking([dying, living], namespace, BODY) as told:
            started = [client.collections.trigger(each.collection_id) for each in collections]
            until(lambda: all(hosts_of(worker) >= 2 for worker in workers), what="both workers run batches")
            until(lambda: len(committed(database)) == 4, what="each batch has committed a chunk", within_s=120)
            client.plugins.deploy(second)
            driver = until(lambda: driver_of(database, second), what="somebody drives the rollout")
            victim = next(worker for worker in workers if executor_of(worker) == driver)
            before = committed(database)

            victim.kill()
            dying.kill()
            killed_at = time.monotonic()
            answered = told.answered[living.url]
            until(lambda: executors(database) == {executor_of(*others(workers, victim))}, what="the other has it all")
            recovered_s = time.monotonic() - killed_at
            tasks = [client.tasks.wait(each.task_id, timeout_s=120, poll_s=0.2) for each in started]
            rolled_out = client.plugins.wait(second, timeout_s=60, poll_s=0.2)

        stored = [all_documents(client, each) for each in collections]
        answer = client.inference.ask("words", {"text": "hello"})["output"]["answered_by"]

    print(
        f"committed at the kill {sorted(before.values())} of 30 chunks; the survivor had all work after"
        f" {recovered_s:.1f} s; answered {dict(told.answered)}, broken {dict(told.broken)},"
        f" slowest answer {told.slowest_s:.2f} s"
    )
    assert [task.status for task in tasks] == ["COMPLETED"] * 4
    assert [len({document["document_id"] for document in each}) for each in stored] == [300] * 4
    assert [len(each) for each in stored] == [300] * 4
    assert (rolled_out.status, answer) == ("DEPLOYED", "2.0.0")
    assert told.errors == []
    # What each caller had in the dead process, and what it sent while the kernel had not closed the listening socket.
    assert set(told.broken) <= {dying.url} and told.broken[dying.url] <= 2 * CALLERS
    assert told.answered[living.url] > answered


def test_a_worker_that_ends_in_order_hands_its_work_over_at_once(
    pair: Pair, make_fleet: MakeFleet, make_plugin: MakePlugin
) -> None:
    fleet = make_fleet(pair, chunk_rows="10", batch_hosts="1")
    first, api = fleet.worker(), fleet.api()
    namespace = new_namespace(api)
    with client_of(api, namespace) as client, psycopg.connect(fleet.database_url, autocommit=True) as database:
        publish(client, make_plugin("words", batch=SLOW))
        collection = collection_of(client, bucket_with(client, [f"text {place}" for place in range(100)]), "words")
        started = client.collections.trigger(collection.collection_id)
        until(lambda: committed(database), what="a chunk is committed", within_s=60)
        second = fleet.worker()
        until((second.data_dir / "worker.last").exists, what="the second worker works")

        assert first.stop() == 0
        ended_at = time.monotonic()
        until(lambda: executors(database) == {executor_of(second)}, what="the other has it")
        handed_over_s = time.monotonic() - ended_at
        task = client.tasks.wait(started.task_id, timeout_s=60, poll_s=0.2)

    print(f"handed over after {handed_over_s:.1f} s")
    assert task.status == "COMPLETED"
    assert handed_over_s < 4


def new_namespace(server: Server) -> str:
    with client_of(server) as admin:
        namespace_id: str = admin.namespaces.create(namespace_name=unique("scaled")).namespace_id
        return namespace_id


def how_long_until(client: Mixpeek, version: str) -> float:
    """Return after how many seconds the next answers are given by this version."""
    began = time.monotonic()
    until(lambda: client.inference.ask("words", {"text": "hello"})["version"] == version, what=f"{version} answers")
    return time.monotonic() - began


def executor_of(worker: Server) -> str:
    """Return the name under which a server's worker carries out workflows."""
    return (worker.data_dir / "worker.last").read_text().strip()


def others(workers: list[Server], victim: Server) -> list[Server]:
    return [worker for worker in workers if worker is not victim]


def committed(database: psycopg.Connection[Any]) -> dict[str, int]:
    """Return how many chunks each batch has committed, those without any left out."""
    rows = database.execute("SELECT batch_id, chunks_committed FROM batch_progress WHERE chunks_committed > 0")
    return dict(rows.fetchall())


def driver_of(database: psycopg.Connection[Any], plugin_id: str) -> str | None:
    """Return who drives a rollout that waits for its green hosts."""
    row = database.execute(
        "SELECT w.executor_id FROM deployments d JOIN dbos.workflow_status w ON w.workflow_uuid = d.task_id"
        " WHERE d.plugin_id = %s AND d.phase = 'start'",
        [plugin_id],
    ).fetchone()
    return row[0] if row else None


def executors(database: psycopg.Connection[Any]) -> set[str]:
    """Return the workers that have workflows under way, by the engine's own table."""
    return {row[0] for row in database.execute("SELECT executor_id FROM dbos.workflow_status WHERE status = 'PENDING'")}
