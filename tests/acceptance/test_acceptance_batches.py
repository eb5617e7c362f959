"""Batches as they are steered: cancelled, retried, followed, listed; and a row that hangs among many that do not."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from factories.platform import all_documents, bucket_with, collection_of, publish, run_batch
from factories.plugins import write_plugin
from factories.servers import API_KEY, Server
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.batches.workflow import BATCHES_OF_NAMESPACE

WORDS = """
    import time

    for text in batch["data"]:
        if text == "hang":
            time.sleep(3600)
        if text == "bad":
            raise ValueError("not this row")
        if text == "refused":
            raise ConnectionError("nobody answers")
        if text.startswith(("slow", "crawl")):
            # A chunk of 16 that crawl takes longer than progress is written and read, and less than TIMEOUT_S.
            time.sleep(0.1 if text.startswith("crawl") else 0.02)
            self.progress.update.remote(1)
    print("did", len(batch), "rows")
    batch[FEATURE] = column_of(batch["data"])
"""
TIMEOUT_S = 2


@pytest.fixture(scope="module")
def steered(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixpeek]:
    """A client whose namespace has the plugin `steered_words`."""
    with server.client() as client:
        manifest = f'compute_profile = {{"timeout_s": {TIMEOUT_S}, "batch_size": 16}}'
        plugin = write_plugin(tmp_path_factory.mktemp("steered") / "steered_words", batch=WORDS, manifest=manifest)
        publish(client, plugin)
        yield client


@pytest.fixture
def raw(server: Server, steered: Mixpeek) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": steered.namespace or ""}
    with httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=60, verify=False) as own:
        yield own


def progress_of(raw: httpx.Client, path: str) -> dict[str, Any]:
    found: dict[str, Any] = raw.get(path).raise_for_status().json()["progress"]
    return found


def test_a_cancelled_batch_ends_at_once_and_keeps_what_was_committed(steered: Mixpeek, raw: httpx.Client) -> None:
    bucket_id = bucket_with(steered, [f"slow {place}" for place in range(240)])
    collection = collection_of(steered, bucket_id, "steered_words")
    triggered = steered.collections.trigger(collection.collection_id)
    path = f"/buckets/{bucket_id}/batches/{triggered.batch_id}"
    until(lambda: progress_of(raw, path)["chunks_committed"] >= 1, what="a chunk is committed")

    began = time.monotonic()
    task = raw.post(f"{path}/cancel").raise_for_status().json()
    took_s = time.monotonic() - began
    again = raw.post(f"{path}/cancel").raise_for_status().json()
    batch = raw.get(path).json()
    stored = len(all_documents(steered, collection))

    assert took_s < 2
    assert task["status"] == again["status"] == batch["status"] == "CANCELED"
    assert 0 < stored == batch["progress"]["written"] == task["outputs"][0]["written"] < 240
    until(has_no_host, what="its hosts have ended", within_s=3)
    assert len(all_documents(steered, collection)) == stored, "something was stored after it had ended"

    retried = raw.post(f"{path}/retry", json={"retry_mode": "all"}).raise_for_status().json()
    assert retried["chunks_to_run"] == batch["progress"]["chunks"] - batch["progress"]["chunks_committed"]
    assert steered.tasks.wait(retried["task_id"], timeout_s=60).status == "COMPLETED"
    assert len(all_documents(steered, collection)) == 240


def test_a_batch_cancelled_before_it_began_is_run_whole_by_a_retry(steered: Mixpeek, raw: httpx.Client) -> None:
    slow_id = bucket_with(steered, [f"slow {place}" for place in range(240)])
    bucket_id = bucket_with(steered, ["one", "two"])
    # As many as run at once, so that the next one waits.
    ahead = [collection_of(steered, slow_id, "steered_words").collection_id for _ in range(BATCHES_OF_NAMESPACE)]
    running = [steered.collections.trigger(each).batch_id for each in ahead]
    for batch_id in running:
        path = f"/buckets/{slow_id}/batches/{batch_id}"
        until(lambda path=path: progress_of(raw, path)["chunks_committed"] >= 1, what="it runs")
    collection = collection_of(steered, bucket_id, "steered_words")
    path = f"/buckets/{bucket_id}/batches/{steered.collections.trigger(collection.collection_id).batch_id}"

    raw.post(f"{path}/cancel").raise_for_status()
    tiers = raw.get(path).json()["tier_tasks"]
    retried = raw.post(f"{path}/retry", json={"retry_mode": "all"}).raise_for_status().json()
    for batch_id in running:
        raw.post(f"/buckets/{slow_id}/batches/{batch_id}/cancel").raise_for_status()

    assert [tier["status"] for tier in tiers] == ["SKIPPED"]
    assert (retried["status"], retried["chunks_to_run"]) == ("PENDING", 0)
    assert steered.tasks.wait(retried["task_id"], timeout_s=60).status == "COMPLETED"
    assert len(all_documents(steered, collection)) == 2


def has_no_host() -> bool:
    """Tell whether no host of the plugin runs, asked of the processes themselves."""
    lines = [process.info["cmdline"] or [""] for process in psutil.process_iter(["cmdline"])]
    return not any("bwrap" in line[0] and any("steered_words" in word for word in line) for line in lines)


def test_a_draft_takes_objects_and_can_be_cancelled_and_deleted(steered: Mixpeek, raw: httpx.Client) -> None:
    bucket_id = bucket_with(steered, ["one", "two", "three"])
    collection = collection_of(steered, bucket_id, "steered_words")
    first, *others = [o["object_id"] for o in steered.objects.list(bucket_id)["results"]]
    batches = f"/buckets/{bucket_id}/batches"
    draft = raw.post(batches, json={"object_ids": [first]}).raise_for_status().json()

    added = raw.post(f"{batches}/{draft['batch_id']}/objects", json={"object_ids": [first, *others]}).json()
    refused = raw.post(f"{batches}/{draft['batch_id']}/objects", json={"object_ids": ["obj_nobody"]})
    cancelled = raw.post(f"{batches}/{draft['batch_id']}/cancel").raise_for_status().json()
    late = raw.post(f"{batches}/{draft['batch_id']}/submit")
    listed = raw.post(f"{batches}/list", json={"status": "CANCELED"}).json()["results"]
    of_collection = raw.post(f"{batches}/list", json={"collection_id": collection.collection_id}).json()["results"]
    of_another = raw.post(f"{batches}/list", json={"collection_id": collection.collection_id[:-1]}).json()["results"]
    deleted = raw.delete(f"{batches}/{draft['batch_id']}").raise_for_status().json()

    assert added["object_ids"] == [first, *others]
    assert refused.status_code == 404
    assert cancelled["status"] == "CANCELED"
    assert late.status_code == 409
    assert [batch["batch_id"] for batch in listed] == [draft["batch_id"]]
    assert (of_collection, of_another) == (listed, [])
    assert deleted["success"]
    assert raw.get(f"{batches}/{draft['batch_id']}").status_code == 404


def test_what_is_deleted_while_a_batch_runs_is_gone_and_no_fault_of_it(steered: Mixpeek, raw: httpx.Client) -> None:
    bucket_id = bucket_with(steered, [f"slow {place}" for place in range(160)])
    collection = collection_of(steered, bucket_id, "steered_words")
    objects = {each["blobs"][0]["data"]: each["object_id"] for each in steered.objects.iterate(bucket_id)}
    triggered = steered.collections.trigger(collection.collection_id)
    until(
        lambda: progress_of(raw, f"/buckets/{bucket_id}/batches/{triggered.batch_id}")["chunks_committed"] >= 1,
        what="a chunk is committed",
    )

    for text in ("slow 0", "slow 159"):
        raw.delete(f"/buckets/{bucket_id}/objects/{objects.pop(text)}").raise_for_status()
    unwanted = all_documents(steered, collection)[0]
    steered.documents.delete(collection.collection_id, unwanted["document_id"])
    objects.pop(unwanted["content"])
    task = steered.tasks.wait(triggered.task_id, timeout_s=60)

    assert (task.status, task.error) == ("COMPLETED", None)
    assert {each["content"] for each in all_documents(steered, collection)} == set(objects)


def test_a_document_that_vanishes_by_itself_fails_the_batch_that_stored_it(
    steered: Mixpeek, raw: httpx.Client, server: Server
) -> None:
    bucket_id = bucket_with(steered, [f"slow {place}" for place in range(64)])
    collection = collection_of(steered, bucket_id, "steered_words")
    triggered = steered.collections.trigger(collection.collection_id)
    until(lambda: len(all_documents(steered, collection)) >= 2, what="a chunk is committed")
    deleted, lost = (one["document_id"] for one in all_documents(steered, collection)[:2])

    steered.documents.delete(collection.collection_id, deleted)
    with psycopg.connect(server.database_url) as connection:
        for table in ("documents", "document_keys"):
            connection.execute(f"DELETE FROM {table} WHERE document_id = %s", [lost])  # type: ignore[arg-type]
    task = steered.tasks.wait(triggered.task_id, timeout_s=60)

    assert task.status == "FAILED"
    assert task.error == "1 of 64 documents that were written are missing; run the batch again"
    again = steered.tasks.wait(steered.collections.trigger(collection.collection_id).task_id, timeout_s=60)
    assert (again.status, len(all_documents(steered, collection))) == ("COMPLETED", 64)


def test_a_row_that_hangs_fails_alone_with_the_plugins_line(steered: Mixpeek, raw: httpx.Client) -> None:
    texts = [f"text {place}" for place in range(200)]
    texts[150] = "hang"
    bucket_id = bucket_with(steered, texts)
    collection = collection_of(steered, bucket_id, "steered_words")

    began = time.monotonic()
    task = run_batch(steered, collection)
    took_s = time.monotonic() - began

    failed = raw.get(f"/buckets/{bucket_id}/batches/{task['outputs'][0]['batch_id']}/failed-documents").json()
    [row] = failed["failed_documents"]
    assert task.status == "COMPLETED_WITH_ERRORS"
    assert (row["cause"], failed["causes"]) == ("timed_out", {"timed_out": 1})
    assert row["details"]["frames"][-1]["code"] == "time.sleep(3600)"
    assert len(all_documents(steered, collection)) == 199
    assert took_s < 10 * TIMEOUT_S, "its time limit was waited for once a level"


def test_a_retry_after_a_fix_runs_only_what_failed(
    server: Server, tmp_path: Any, raw: httpx.Client, steered: Mixpeek
) -> None:
    name = f"fixed_words_{secrets.token_hex(3)}"
    plugin_id = publish(steered, write_plugin(tmp_path / "1" / name, batch=WORDS))
    steered.plugins.deploy(plugin_id, batch_only=True)
    bucket_id = bucket_with(steered, ["one", "bad", "two", "bad", "refused"])
    collection = collection_of(steered, bucket_id, name, version=None)
    task = run_batch(steered, collection)
    path = f"/buckets/{bucket_id}/batches/{task['outputs'][0]['batch_id']}"
    before = {d["document_id"]: d["_internal"] for d in all_documents(steered, collection)}

    transient = raw.post(f"{path}/retry").raise_for_status().json()
    steered.tasks.wait(transient["task_id"], timeout_s=60)
    after_transient = raw.get(f"{path}/failed-documents").json()
    fixed = WORDS.replace('"bad"', '"never"').replace('"refused"', '"never"')
    plugin_id = publish(steered, write_plugin(tmp_path / "2" / name, batch=fixed, version="1.0.1"), version="1.0.1")
    steered.plugins.deploy(plugin_id, batch_only=True)
    retried = raw.post(f"{path}/retry", json={"retry_mode": "all", "tier_nums": [0]}).raise_for_status().json()
    ended = steered.tasks.wait(retried["task_id"], timeout_s=60)
    nothing = raw.post(f"{path}/retry", json={"retry_mode": "all"}).raise_for_status().json()
    run_again = raw.post(f"{path}/retry", json={"retry_mode": "all", "tier_nums": [7]})

    assert task.status == "COMPLETED_WITH_ERRORS"
    assert transient["rows_to_retry"] == 1, "only the refused connection may pass by itself"
    assert after_transient["causes"] == {"raised": 2, "network": 1}
    assert {f["cause"]: f["retries"] for f in after_transient["failed_documents"]} == {"raised": 0, "network": 1}
    assert retried["rows_to_retry"] == 3
    assert (ended.status, ended.error) == ("COMPLETED", None)
    assert (nothing["rows_to_retry"], nothing["chunks_to_run"]) == (0, 0)
    assert run_again.status_code == 422
    counts = raw.get(path).json()["progress"]
    assert [counts[name] for name in ("rows", "written", "skipped", "failed")] == [5, 5, 0, 0]
    documents = all_documents(steered, collection)
    assert sorted(d["content"] for d in documents) == ["bad", "bad", "one", "refused", "two"]
    assert {d["document_id"]: d["_internal"] for d in documents if d["document_id"] in before} == before


def test_a_retry_also_fills_the_collections_that_read_what_it_repaired(
    tmp_path: Any, raw: httpx.Client, steered: Mixpeek
) -> None:
    name, reader = (f"{each}_words_{secrets.token_hex(3)}" for each in ("first", "later"))
    for source in (write_plugin(tmp_path / "1" / name, batch=WORDS), write_plugin(tmp_path / reader)):
        steered.plugins.deploy(publish(steered, source), batch_only=True)
    bucket_id = bucket_with(steered, ["one", "bad"])
    first = collection_of(steered, bucket_id, name, version=None)
    later = steered.collections.create(
        collection_name=f"{reader}_of_documents",
        source={"type": "collection", "collection_id": first.collection_id},
        feature_extractor={
            "feature_extractor_name": reader,
            "version": "1.0.0",
            "input_mappings": {"text": "content"},
            "field_passthrough": ["content"],
        },
    )
    task = run_batch(steered, first)
    path = f"/buckets/{bucket_id}/batches/{task['outputs'][0]['batch_id']}"
    before = all_documents(steered, later)
    fixed = write_plugin(tmp_path / "2" / name, batch=WORDS.replace('"bad"', '"never"'), version="1.0.1")
    steered.plugins.deploy(publish(steered, fixed, version="1.0.1"), batch_only=True)

    retried = raw.post(f"{path}/retry", json={"retry_mode": "all"}).raise_for_status().json()
    ended = steered.tasks.wait(retried["task_id"], timeout_s=60)

    assert (task.status, [d["content"] for d in before]) == ("COMPLETED_WITH_ERRORS", ["one"])
    assert (retried["rows_to_retry"], ended.status, ended.error) == (1, "COMPLETED", None)
    for collection in (first, later):
        assert sorted(d["content"] for d in all_documents(steered, collection)) == ["bad", "one"]
    batch = raw.get(path).json()
    assert [tier["status"] for tier in batch["tier_tasks"]] == ["COMPLETED", "COMPLETED"]
    assert [batch["progress"][name] for name in ("rows", "written", "failed")] == [4, 4, 0]


def test_a_batch_is_followed_to_its_end_and_says_how_it_went(steered: Mixpeek, raw: httpx.Client) -> None:
    bucket_id = bucket_with(steered, [f"crawl {place}" for place in range(48)] + ["bad"])
    collection = collection_of(steered, bucket_id, "steered_words")
    triggered = steered.collections.trigger(collection.collection_id)
    path = f"/buckets/{bucket_id}/batches/{triggered.batch_id}"

    told: list[tuple[str, dict[str, Any]]] = []
    with raw.stream("GET", f"{path}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        kind = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            if line.startswith("data: "):
                told.append((kind, json.loads(line.removeprefix("data: "))))
    diagnosis = raw.get(f"/analytics/performance/batches/{triggered.batch_id}/diagnostics").raise_for_status().json()
    logs = until(lambda: raw.get(f"{path}/logs?tier_num=0").json()["results"], what="its lines are kept")

    kinds = [kind for kind, _ in told]
    assert kinds[-1] == "end"
    assert set(kinds[:-1]) == {"progress"}
    assert told[-1][1]["status"] == "COMPLETED_WITH_ERRORS"
    rates = [state["progress"]["rows_per_s"] for _, state in told if state["progress"]["rows_per_s"]]
    assert rates
    running = [chunk for _, state in told for chunk in state["progress"]["running"]]
    assert all(0 < chunk["done"] <= chunk["rows"] and chunk["step"] == "steps[0] Processor" for chunk in running)
    by_chunk = [
        [one["done"] for one in running if one["chunk"] == chunk] for chunk in {one["chunk"] for one in running}
    ]
    assert any(len(set(done)) > 1 for done in by_chunk), "no chunk was seen on its way"
    assert all(done == sorted(done) for done in by_chunk)
    assert told[-1][1]["progress"]["running"] == []
    assert told[-1][1]["progress"]["percentage"] == 100.0
    assert diagnosis["has_failures"]
    assert diagnosis["overall_progress"]["processed_documents"] == 49
    assert "1 of 49 rows failed" in diagnosis["insights"][0]
    assert any("retry" in action for action in diagnosis["next_actions"])
    assert {line["plugin_id"] for line in logs} == {"steered_words_1_0_0"}
    assert any("did" in line["message"] for line in logs)


def test_failed_rows_are_paged_by_cursor(steered: Mixpeek, raw: httpx.Client) -> None:
    bucket_id = bucket_with(steered, ["bad"] * 5)
    task = run_batch(steered, collection_of(steered, bucket_id, "steered_words"))
    path = f"/buckets/{bucket_id}/batches/{task['outputs'][0]['batch_id']}/failed-documents"

    pages, cursor = [], ""
    while cursor is not None:
        page = raw.get(path, params={"limit": 2, **({"cursor": cursor} if cursor else {})}).raise_for_status().json()
        pages.append([row["document_id"] for row in page["failed_documents"]])
        cursor = page["next_cursor"]

    assert [len(page) for page in pages] == [2, 2, 1]
    assert len({identifier for page in pages for identifier in page}) == 5


@pytest.fixture
def full_disk(server: Server) -> Iterator[Callable[[str], psycopg.Connection[Any]]]:
    """Have the database refuse documents of a collection, with the error of a disk that is full; undone by a delete."""
    with psycopg.connect(server.database_url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS test_full_disk (collection_id text);"
            "CREATE OR REPLACE FUNCTION test_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF EXISTS (SELECT FROM test_full_disk f WHERE f.collection_id = NEW.collection_id) THEN"
            "  RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END IF;"
            " RETURN NEW; END $$;"
            "CREATE OR REPLACE TRIGGER test_full_disk BEFORE INSERT ON documents FOR EACH ROW"
            " EXECUTE FUNCTION test_refuse()"
        )

        def fill(collection_id: str) -> psycopg.Connection[Any]:
            connection.execute("INSERT INTO test_full_disk VALUES (%s)", [collection_id])
            return connection

        yield fill
        connection.execute("DROP FUNCTION test_refuse CASCADE; DROP TABLE test_full_disk")


def test_a_batch_waits_for_a_full_disk_says_so_and_goes_on_by_itself(
    steered: Mixpeek, raw: httpx.Client, full_disk: Callable[[str], psycopg.Connection[Any]]
) -> None:
    bucket_id = bucket_with(steered, ["one", "two"])
    collection = collection_of(steered, bucket_id, "steered_words")
    database = full_disk(collection.collection_id)
    triggered = steered.collections.trigger(collection.collection_id)
    path = f"/buckets/{bucket_id}/batches/{triggered.batch_id}"

    until(lambda: progress_of(raw, path)["paused"], what="the batch waits", within_s=60)
    waiting = raw.get(path).json()
    diagnosis = raw.get(f"/analytics/performance/batches/{triggered.batch_id}/diagnostics").json()
    database.execute("DELETE FROM test_full_disk")
    ended = steered.tasks.wait(triggered.task_id, timeout_s=60)

    assert waiting["status"] == "IN_PROGRESS"
    assert waiting["progress"]["paused"]["cause"] == "disk_full"
    assert "disk_full" in diagnosis["insights"][0]
    assert (ended.status, ended.error) == ("COMPLETED", None)
    assert progress_of(raw, path)["paused"] is None
    assert len(all_documents(steered, collection)) == 2
