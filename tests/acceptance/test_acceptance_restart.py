"""Stopping and starting a server again: what is kept, what is refused, and what happens to its database."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from factories.commands import run_command
from factories.platform import (
    all_documents,
    bucket_with,
    collection_of,
    deployed,
    publish,
    retriever_over,
    run_batch,
)
from factories.plugins import write_plugin
from factories.servers import API_KEY, Server
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.db.embedded import EmbeddedPostgres

TEXTS = ["red apples and pears", "the cat on the mat", "rain in the north"]


@dataclass
class Furnished:
    """A server of its own with a deployed plugin and its canary, a filled collection and a retriever."""

    server: Server
    client: Mixpeek
    collection: Any
    retriever_id: str

    def answers(self) -> dict[str, Any]:
        """Return what clients get of everything that should be kept."""
        found = self.client.retrievers.execute(self.retriever_id, {"query": "a cat on a mat"})["documents"]
        reply = self.client.plugins.realtime_test("small_words_1_0_0", {"text": "a cat"})
        return {
            "search": [(document["content"], document["score"]) for document in found],
            "documents": all_documents(self.client, self.collection, return_vectors=True),
            "plugins": self.client.plugins.list()["plugins"],
            "status": self.client.plugins.status("small_words_1_0_0").status,
            "realtime": reply["raw_response"],
            "shares": [
                (version["plugin_id"], version["role"], version["traffic"])
                for version in self.client.plugins.deployment("small_words_1_0_0")["versions"]
            ],
            # Half of the requests each: that one of the two is not among sixty will not happen.
            "answering": {self.client.inference.ask("small_words", {"text": "a cat"})["version"] for _ in range(60)},
        }


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    folder = tmp_path_factory.mktemp("furnished")
    server = Server(folder / "data", {"MIXPEEK_BATCH_HOSTS": "1", "MIXPEEK_CHUNK_ROWS": "50"})
    try:
        with server.start().client() as client:
            publish(client, write_plugin(folder / "small_words"), deploy=True)
            canary = write_plugin(folder / "canary" / "small_words", version="1.1.0")
            plugin_id = publish(client, canary, version="1.1.0")
            client.plugins.deploy(plugin_id, traffic=50)
            client.plugins.wait(plugin_id, timeout_s=60, poll_s=0.1)
            collection = collection_of(client, bucket_with(client, TEXTS), "small_words")
            assert run_batch(client, collection).status == "COMPLETED"
            yield Furnished(server, client, collection, retriever_over(client, collection))
    finally:
        server.discard()


def test_a_second_server_on_the_same_data_dir_is_refused_naming_the_first(furnished: Furnished) -> None:
    server = furnished.server

    place = ["--port", "0", "--data-dir", server.data_dir]
    second = run_command("serve", *place, cwd=server.data_dir.parent)

    assert second.code == 1
    assert f"pid {server.pid}" in second.err
    assert str(server.data_dir) in second.err.replace("\n", "")
    assert "--data-dir" in second.err
    assert server.is_healthy()


def test_only_the_api_listens_and_only_on_the_address_it_was_given(furnished: Furnished) -> None:
    server = furnished.server
    supervisor = psutil.Process(server.pid)
    postmaster = psutil.Process(server.postmaster_pid())
    processes = [supervisor, postmaster, *supervisor.children(recursive=True), *postmaster.children(recursive=True)]

    listening = {
        (connection.laddr.ip, connection.laddr.port, process.pid)
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }

    # The supervisor keeps the socket for an API process that has to be started again; held by any other process, it
    # would let clients of a stopping server wait instead of being refused.
    assert listening == {("127.0.0.1", server.port, pid) for pid in (server.pid, server.child_pid("api"))}


@pytest.mark.parametrize("stop_with", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_ends_the_database_too_and_everything_is_there_after_the_next_start(
    furnished: Furnished, stop_with: signal.Signals
) -> None:
    before = furnished.answers()
    postmaster = furnished.server.postmaster_pid()

    code = furnished.server.stop(stop_with)
    database_after_stop = furnished.server.postmaster_pid()
    furnished.server.start()

    assert code == 0
    assert postmaster is not None
    assert database_after_stop is None
    assert furnished.answers() == before
    assert before["search"][0][0] == "the cat on the mat"
    assert before["status"] == "DEPLOYED"
    assert before["shares"] == [("small_words_1_0_0", "stable", 50), ("small_words_1_1_0", "canary", 50)]
    assert before["answering"] == {"1.0.0", "1.1.0"}


def test_after_a_crash_the_running_database_is_found_again(furnished: Furnished) -> None:
    before = furnished.answers()
    postmaster = furnished.server.postmaster_pid()

    furnished.server.kill()
    survived = furnished.server.postmaster_pid()
    furnished.server.start()

    assert survived == postmaster
    assert furnished.server.postmaster_pid() == postmaster
    assert furnished.answers() == before


def test_processes_of_a_killed_supervisor_do_not_outlive_it(furnished: Furnished) -> None:
    server = furnished.server
    children = [psutil.Process(pid) for role in ("api", "worker") if (pid := server.child_pid(role))]

    server.kill()
    until(lambda: not any(child.is_running() for child in children), what="the API and the worker have ended")
    server.start()

    assert len(children) == 2


def archive_spoilt(data_dir: Path) -> None:
    newest = max((data_dir / "objects" / "archives").iterdir(), key=lambda path: path.stat().st_mtime)
    newest.write_bytes(b"no longer an archive")
    shutil.rmtree(data_dir / "unpacked")


def nowhere_to_unpack(data_dir: Path) -> None:
    shutil.rmtree(data_dir / "unpacked")
    (data_dir / "unpacked").write_text("a file in place of the folder")


@pytest.mark.parametrize("damage", [archive_spoilt, nowhere_to_unpack])
def test_work_that_damage_to_the_data_dir_makes_impossible_fails_rather_than_going_on_for_ever(
    furnished: Furnished, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    client, data_dir = furnished.client, furnished.server.data_dir
    name = f"words_{damage.__name__}"
    plugin_id = publish(client, write_plugin(tmp_path / name))
    collection = collection_of(client, bucket_with(client, TEXTS), name)
    damage(data_dir)

    status = deployed(client, plugin_id)
    task = run_batch(client, collection)
    batch = client.batches.get(collection["source"]["bucket_ids"][0], task["inputs"][0]["batch_id"])
    again = client.plugins.deploy(plugin_id)
    if (data_dir / "unpacked").is_file():
        (data_dir / "unpacked").unlink()

    assert (status.status, task.status, batch.status) == ("FAILED", "FAILED", "FAILED")
    assert status.error
    assert task.error
    assert "already" not in again.message


def test_a_batch_under_way_stops_cleanly_and_goes_on_after_the_next_start(furnished: Furnished, tmp_path: Path) -> None:
    client, server = furnished.client, furnished.server
    batch = "import time\ntime.sleep(0.005 * len(batch))\nbatch[FEATURE] = column_of(batch['data'])"
    publish(client, write_plugin(tmp_path / "slow_words", batch=batch))
    collection = collection_of(client, bucket_with(client, [f"text {place}" for place in range(600)]), "slow_words")
    triggered = client.collections.trigger(collection.collection_id)
    until(lambda: client.collections.get(collection.collection_id).document_count >= 50, what="a chunk is stored")

    code = server.stop()
    server.start()
    task = client.tasks.wait(triggered.task_id, timeout_s=60)

    assert code == 0
    assert task.status == "COMPLETED", task.error
    assert len(all_documents(client, collection)) == 600


ANSWERS = "return {{'embedding': embed(request['text']).tolist(), 'answered_by': '{version}'}}"
SLOW = "import time; time.sleep(1)"
# A request waits as long as this for a host that starts, on however slow a machine.
PATIENT = "serve_config = {'timeout_s': 60, 'start_timeout_s': 60}"


@contextmanager
def held(server: Server, sql: str, *parameters: str | None) -> Iterator[None]:
    """Hold what a statement locks in the server's database, which may end under it."""
    connection = psycopg.connect(EmbeddedPostgres(server.data_dir).url)
    try:
        connection.execute(sql, parameters)
        yield
    finally:
        with contextlib.suppress(psycopg.OperationalError):
            connection.rollback()
        connection.close()


def test_a_rollout_killed_in_every_phase_goes_on_and_what_was_live_answers_after_each_restart(
    furnished: Furnished, tmp_path: Path
) -> None:
    client, server = furnished.client, furnished.server
    headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
    blue, green, broken = (
        publish(
            client,
            write_plugin(tmp_path / version / "steady_words", version=version, manifest=PATIENT, **parts),
            version=version,
        )
        for version, parts in {
            "1.0.0": {"predict": ANSWERS.format(version="1.0.0")},
            "1.1.0": {"predict": ANSWERS.format(version="1.1.0"), "construct": SLOW},
            "1.2.0": {"construct": f"{SLOW}; raise RuntimeError('no weights here')"},
        }.items()
    )
    assert deployed(client, blue).status == "DEPLOYED"

    def answers() -> str:
        """Ask once, on a connection of its own: a request that comes while hosts start waits for them."""
        body = {"inference_name": "steady_words", "inputs": {"text": "hello"}}
        answer = httpx.post(f"{server.url}/v1/inference", json=body, headers=headers, timeout=90)
        assert answer.status_code == 200, answer.text
        version: str = answer.json()["output"]["answered_by"]
        return version

    def until_in(phase: str, plugin_id: str = green) -> None:
        until(lambda: client.plugins.status(plugin_id)["phase"] == phase, what=f"the rollout is in phase {phase}")

    # What a rollout writes while it builds, it cannot write while this row is held.
    row = "SELECT FROM plugin_versions WHERE namespace_id = %s AND plugin_id = %s FOR NO KEY UPDATE"
    with held(server, row, client.namespace, green):
        client.plugins.deploy(green)
        until_in("building")
        server.kill()
    server.start()
    assert answers() == "1.0.0"

    until_in("gate")
    server.kill()
    server.start()
    assert answers() == "1.0.0"

    until_in("start")
    kill(server.child_pid("api"))
    assert answers() == "1.0.0", "a connection made while there is no API process waits for the next one"

    # The lock of the name: with it held, a rollout stands before its switch.
    with held(server, "SELECT pg_advisory_xact_lock(hashtext(%s), hashtext(%s))", client.namespace, "steady_words"):
        until_in("switch")
        server.kill()
        kill(server.postmaster_pid())
    server.start()
    status = client.plugins.wait(green, timeout_s=60, poll_s=0.1)
    assert (status.status, status.error) == ("DEPLOYED", None)
    assert answers() == "1.1.0"
    assert [moment["phase"] for moment in status["timeline"]] == ["building", "gate", "start", "switch", "live"]

    client.plugins.deploy(broken)
    until_in("gate", broken)
    server.kill()
    server.start()
    status = client.plugins.wait(broken, timeout_s=60, poll_s=0.1)
    assert status.status == "FAILED"
    assert "no weights here" in status.error
    assert answers() == "1.1.0"
    history = client.plugins.versions("steady_words")["versions"]
    assert [[event["status"] for event in version["deployments"]] for version in history] == [
        ["failed"],
        ["deployed"],
        ["deployed"],
    ]


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
