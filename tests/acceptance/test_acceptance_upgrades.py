"""A collection is made anew by another version of its extractor while it is searched, written to, and switched."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest

from factories.platform import all_documents, bucket_with, collection_of, publish, retriever_over, run_batch, unique
from factories.plugins import write_plugin
from factories.servers import Server
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.client import ApiError

OLD, NEW = "grown_words_1_0_0", "grown_words_2_0_0"
TEXTS = [f"note {place} about topic {place % 7}" for place in range(40)]
REQUESTS_PER_S = 50
SLOW = """
    import time

    time.sleep(0.01 * len(batch))
    batch[FEATURE] = column_of(batch['data'])
    batch["made_slowly"] = True
"""


class Notes:
    """A bucket of texts, a collection of them made by version 1.0.0, and a retriever over it."""

    def __init__(self, client: Mixpeek, texts: list[str] = TEXTS, version: str | None = "1.0.0") -> None:
        self.client = client
        self.bucket_id = bucket_with(client, texts)
        self.collection = collection_of(client, self.bucket_id, "grown_words", version=version)
        self.id = self.collection.collection_id
        assert run_batch(client, self.collection).status == "COMPLETED"
        self.retriever_id = retriever_over(client, self.collection)

    def add(self, text: str, *, wait: bool = True) -> Any:
        """Add an object and run a batch of it alone; return the task, once it has ended unless told otherwise."""
        made = self.client.objects.create(self.bucket_id, blobs=[{"property": "content", "type": "text", "data": text}])
        batch = self.client.batches.create(self.bucket_id, [made.object_id])
        task_id = self.client.batches.submit(self.bucket_id, batch.batch_id).task_id
        return self.client.tasks.wait(task_id, timeout_s=60) if wait else task_id

    def search(self, words: str = "topic") -> list[Any]:
        found: list[Any] = self.client.retrievers.execute(self.retriever_id, inputs={"query": words})["documents"]
        return found

    def makers(self) -> set[str]:
        return {maker_of(document) for document in self.search()}

    def texts(self) -> set[str]:
        return {document["content"] for document in all_documents(self.client, self.collection)}

    def state(self) -> str:
        state: str = self.client.collections.get_upgrade(self.id).state
        return state

    def build(self) -> Any:
        """Begin the upgrade and return it once it is built."""
        started = self.client.collections.upgrade(self.id, "2.0.0", start=True)
        self.client.tasks.wait(started.upgrade["task_id"], timeout_s=60)
        return self.client.collections.get_upgrade(self.id)


def maker_of(document: Any) -> str:
    maker: str = document["_internal"]["lineage"]["chain"][-1]["feature_extractor_id"]
    return maker


@pytest.fixture(scope="module")
def author(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixpeek]:
    """A client in a namespace with two versions of a plugin, whose vectors differ in length."""
    folder = tmp_path_factory.mktemp("upgrades")
    with server.client() as client:
        publish(client, write_plugin(folder / "one" / "grown_words"), deploy=True)
        newer = write_plugin(folder / "two" / "grown_words", version="2.0.0", dimension=16, batch=SLOW)
        publish(client, newer, version="2.0.0")
        yield client


def test_a_plan_says_what_would_change_and_changes_nothing(author: Mixpeek) -> None:
    notes = Notes(author)

    plan = author.collections.upgrade(notes.id, "2.0.0")

    assert (plan.from_plugin_id, plan.to_plugin_id) == (OLD, NEW)
    assert (plan.objects, plan.documents, plan.upgrade) == (40, 40, None)
    assert plan.features[0] == {
        "name": "words_vector",
        "change": "changed",
        "dimensions": {"before": 8, "after": 16},
        "distance": {"before": "cosine", "after": "cosine"},
    }
    assert [(r["retriever_id"], r["effect"]) for r in plan.retrievers] == [(notes.retriever_id, "follows")]
    assert plan.blockers == []
    with pytest.raises(ApiError) as refused:
        author.collections.get_upgrade(notes.id)
    assert refused.value.status == 404
    assert notes.makers() == {OLD}


def test_both_generations_hold_all_that_is_written_until_one_is_dropped(author: Mixpeek, server: Server) -> None:
    notes = Notes(author)
    edited = all_documents(author, notes.collection)[0]["document_id"]
    author.documents.update(notes.id, edited, stars=5)
    author.collections.upgrade(notes.id, "2.0.0", start=True)
    while_building = notes.add("written while building")
    until(lambda: notes.state() == "READY", what="the upgrade is built", within_s=60)
    before_switch = (notes.makers(), notes.texts())
    report = author.collections.compare(notes.id, sample=10)

    switched = author.collections.switch(notes.id)
    after_switch = (notes.makers(), notes.texts(), author.documents.get(notes.id, edited)["stars"])
    after = notes.add("written after the switch")
    author.documents.update(notes.id, edited, stars=4)
    rolled_back = author.collections.rollback(notes.id)
    after_rollback = (notes.makers(), notes.texts(), author.documents.get(notes.id, edited)["stars"])
    last = notes.add("written after the rollback")
    author.collections.switch(notes.id)
    again = (notes.makers(), notes.texts(), author.documents.get(notes.id, edited)["stars"])
    dropped = author.collections.drop_generation(notes.id)
    removal = author.tasks.wait(dropped.task_id, timeout_s=60)
    with psycopg.connect(server.database_url) as connection:
        left = [
            connection.execute(
                f"SELECT DISTINCT generation FROM {table} WHERE collection_id = %s", [notes.id]
            ).fetchall()
            for table in ("collection_generations", "documents", "document_keys", "document_vectors", "text_blocks")
        ]

    assert (removal.status, left) == ("COMPLETED", [[(2,)]] * 5)
    assert [task.status for task in (while_building, after, last)] == ["COMPLETED"] * 3
    assert [task.outputs[0]["documents_written"] for task in (while_building, after, last)] == [1, 1, 1]
    known = {*TEXTS, "written while building"}
    assert before_switch == ({OLD}, known)
    assert report.documents["only_before"] == report.documents["only_after"] == report.failed_rows == 0
    assert report.fields["added"] == ["made_slowly"]
    assert 0.0 <= report.features[0]["overlap_at_10"]["mean"] <= 1.0
    assert report.features[0]["unanswered"] == 0
    assert after_switch == ({NEW}, known, 5)
    known.add("written after the switch")
    assert after_rollback == ({OLD}, known, 4)
    known.add("written after the rollback")
    assert again == ({NEW}, known, 4)
    assert (switched.state, rolled_back.state, dropped.state) == ("LIVE", "ROLLED_BACK", "DONE")
    assert [moment["state"] for moment in dropped.timeline] == [
        "BUILDING", "READY", "LIVE", "ROLLED_BACK", "LIVE", "DONE",
    ]  # fmt: skip
    assert notes.makers() == {NEW}
    assert author.collections.get(notes.id).feature_extractor["version"] == "2.0.0"


def test_a_switch_is_refused_until_the_build_is_complete_and_an_upgrade_can_be_cancelled(author: Mixpeek) -> None:
    notes = Notes(author)
    author.collections.upgrade(notes.id, "2.0.0", start=True)

    with pytest.raises(ApiError) as early:
        author.collections.switch(notes.id)
    with pytest.raises(ApiError) as second:
        author.collections.upgrade(notes.id, "2.0.0", start=True)
    canceled = author.collections.cancel_upgrade(notes.id)
    with pytest.raises(ApiError) as late:
        author.collections.switch(notes.id)

    assert (early.value.status, "still being built" in str(early.value)) == (409, True)
    assert (second.value.status, "BUILDING" in str(second.value)) == (409, True)
    assert canceled.state == "CANCELED"
    assert (late.value.status, "CANCELED" in str(late.value)) == (409, True)
    assert author.tasks.get(canceled.task_id).status == "CANCELED"
    assert notes.build().state == "READY"
    assert author.collections.cancel_upgrade(notes.id).state == "CANCELED"
    with pytest.raises(ApiError, match="a generation that is gone") as refused:
        author.batches.retry(notes.bucket_id, canceled.batch_id)
    assert refused.value.status == 409
    assert notes.makers() == {OLD}


def test_a_switch_can_be_forced_by_name_and_the_build_goes_on(author: Mixpeek) -> None:
    notes = Notes(author)
    author.collections.upgrade(notes.id, "2.0.0", start=True)

    with pytest.raises(ApiError):
        author.collections.switch(notes.id, force="another name")
    forced = author.collections.switch(notes.id, force=notes.collection.collection_name)
    author.tasks.wait(forced.task_id, timeout_s=60)

    assert forced.state == "LIVE"
    assert notes.texts() == set(TEXTS)
    assert notes.makers() == {NEW}


def test_a_batch_of_some_objects_loses_nothing_while_a_whole_run_switches(author: Mixpeek) -> None:
    author.plugins.deploy(OLD, batch_only=True)
    notes = Notes(author, version=None)
    edited = all_documents(author, notes.collection)[0]["document_id"]
    author.documents.update(notes.id, edited, stars=5)
    by_hand = author.documents.create(notes.id, content="made by hand")["document_id"]
    assert author.plugins.wait(OLD, timeout_s=60, poll_s=0.1).status in ("DEPLOYED", "NOT_DEPLOYED")
    author.plugins.deploy(NEW, batch_only=True)
    try:
        whole = author.collections.trigger(notes.id)
        ids = [notes.add(f"added meanwhile {n}", wait=False) for n in range(5)]
        ends = [author.tasks.wait(one, timeout_s=60).status for one in (whole.task_id, *ids)]
        added = {f"added meanwhile {n}" for n in range(5)}

        assert ends == ["COMPLETED"] * 6
        assert notes.texts() == {*TEXTS, *added, "made by hand"}
        made = [one for one in all_documents(author, notes.collection) if one["document_id"] != by_hand]
        assert {maker_of(one) for one in made} == {NEW}
        assert author.documents.get(notes.id, edited)["stars"] == 5
    finally:
        author.plugins.deploy(OLD)
        author.plugins.wait(OLD, timeout_s=60, poll_s=0.1)


def test_a_collection_that_reads_another_and_the_one_it_reads_are_upgraded_one_by_one(author: Mixpeek) -> None:
    notes = Notes(author)
    source = {"type": "collection", "collection_id": notes.id}
    recipe = {"feature_extractor_name": "grown_words", "version": "1.0.0", "input_mappings": {"text": "content"}}
    reader = author.collections.create(unique("reader"), source, {**recipe, "field_passthrough": ["content"]})
    assert run_batch(author, reader).status == "COMPLETED"

    def seen() -> tuple[set[str], set[str]]:
        found = all_documents(author, reader)
        assert len({one["document_id"] for one in found}) == len(found)
        return {maker_of(one) for one in found}, {one["content"] for one in found}

    def upgraded(collection_id: str) -> Any:
        task_id = author.collections.upgrade(collection_id, "2.0.0", start=True).upgrade["task_id"]
        assert author.tasks.wait(task_id, timeout_s=60).status == "COMPLETED"
        return author.collections.switch(collection_id)

    task_id = author.collections.upgrade(reader.collection_id, "2.0.0", start=True).upgrade["task_id"]
    added = notes.add("written while the reader is built")
    unwanted = next(one for one in all_documents(author, notes.collection) if one["content"] == TEXTS[0])
    author.documents.delete(notes.id, unwanted["document_id"])
    built = author.tasks.wait(task_id, timeout_s=60)
    report = author.collections.compare(reader.collection_id, sample=5)
    before_switch = seen()
    author.collections.switch(reader.collection_id)
    after_switch = seen()
    plan = author.collections.upgrade(notes.id, "2.0.0")
    upgraded(notes.id)
    author.collections.drop_generation(notes.id)
    after_source = seen()
    again = run_batch(author, notes.collection)

    texts = {*TEXTS[1:], "written while the reader is built"}
    assert (added.status, built.status, again.status) == ("COMPLETED", "COMPLETED", "COMPLETED")
    assert report.documents["only_before"] == report.documents["only_after"] == 0
    assert before_switch == ({OLD}, texts)
    assert after_switch == after_source == ({NEW}, texts)
    assert plan.readers == [reader.collection_name]
    assert seen() == ({NEW}, {*texts, TEXTS[0]}), "a later batch over the same objects makes it again"
    assert author.collections.rollback(reader.collection_id).state == "ROLLED_BACK"
    assert seen() == ({OLD}, {*texts, TEXTS[0]})


@contextmanager
def asking(notes: Notes, per_s: float) -> Iterator[list[Any]]:
    """Search at a constant rate meanwhile, whatever becomes of it; yield the answers, or the errors, as they come."""
    answers: list[Any] = []
    ended = threading.Event()
    began = time.monotonic()

    def ask(first: int, step: int) -> None:
        place = first
        while not ended.wait(max(0.0, began + place / per_s - time.monotonic())):
            try:
                answers.append({maker_of(document) for document in notes.search()})
            except Exception as error:
                answers.append(error)
            place += step

    threads = [threading.Thread(target=ask, args=(n, 4)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_searches_through_an_upgrade_and_a_rollback_never_fail_and_never_mix(author: Mixpeek) -> None:
    notes = Notes(author)

    with asking(notes, REQUESTS_PER_S) as answers:
        upgraded = notes.build()
        author.collections.switch(notes.id)
        seen(answers, {NEW})
        author.collections.rollback(notes.id)
        seen(answers, {OLD})

    assert upgraded.state == "READY"
    assert [answer for answer in answers if answer not in ({OLD}, {NEW})] == []
    assert len(answers) >= REQUESTS_PER_S


def seen(answers: list[Any], makers: set[str]) -> None:
    """Wait for a few answers from here on of which the last comes from these versions alone."""
    start = len(answers)
    enough: Callable[[], bool] = lambda: len(answers) > start + 20 and answers[-1] == makers  # noqa: E731
    until(enough, what=f"answers come from {makers}", within_s=20)


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Mixpeek]]:
    """A server whose processes may be killed, with both versions of the plugin, in small chunks."""
    folder = tmp_path_factory.mktemp("fragile_upgrades")
    server = Server(folder / "data", {"MIXPEEK_CHUNK_ROWS": "10", "MIXPEEK_BATCH_HOSTS": "1"})
    try:
        with server.start().client() as client:
            publish(client, write_plugin(folder / "one" / "grown_words"), deploy=True)
            newer = write_plugin(folder / "two" / "grown_words", version="2.0.0", dimension=16, batch=SLOW)
            publish(client, newer, version="2.0.0")
            yield server, client
            assert server.stop() == 0
    finally:
        server.discard()


def committed(client: Mixpeek, task_id: str, chunks: int) -> bool:
    progress = client.tasks.get(task_id)["additional_data"].get("progress", {})
    return bool(progress.get("chunks_committed", 0) >= chunks)


def test_what_is_deleted_at_any_stage_of_an_upgrade_is_gone_from_both_generations(
    fragile: tuple[Server, Mixpeek],
) -> None:
    _, client = fragile
    notes = Notes(client, [f"note {n}" for n in range(100)])
    documents = {one["content"]: one["document_id"] for one in all_documents(client, notes.collection)}
    objects = {one["blobs"][0]["data"]: one["object_id"] for one in client.objects.iterate(notes.bucket_id)}
    left = set(documents)
    stages = iter(range(0, 50, 4))

    def delete() -> None:
        """Delete documents and objects among the first and among the last that the build comes to."""
        first = next(stages)
        for place in (first, 99 - first):
            client.documents.delete(notes.id, documents[f"note {place}"])
        for place in (first + 1, 98 - first):
            client.objects.delete(notes.bucket_id, objects[f"note {place}"])
        client.documents.delete_many(notes.id, [documents[f"note {first + 2}"], documents[f"note {97 - first}"]])
        for place in range(first, first + 3):
            left.difference_update({f"note {place}", f"note {99 - place}"})

    task_id = client.collections.upgrade(notes.id, "2.0.0", start=True).upgrade["task_id"]
    delete()
    for chunks in (1, 4):
        until(partial(committed, client, task_id, chunks), what=f"{chunks} chunks are built", within_s=60)
        delete()
    client.tasks.wait(task_id, timeout_s=60)
    delete()
    built, before_switch = client.collections.get_upgrade(notes.id), (notes.texts(), set(left))
    client.collections.switch(notes.id)
    after_switch = (notes.texts(), set(left))
    delete()
    client.collections.rollback(notes.id)
    after_rollback = (notes.texts(), set(left))
    delete()
    client.collections.switch(notes.id)

    assert (built.state, built.incomplete) == ("READY", None)
    for stored, expected in (before_switch, after_switch, after_rollback, (notes.texts(), left)):
        assert stored == expected
    assert len(left) == 100 - 6 * 6


def test_an_upgrade_survives_kill_9_at_every_step(fragile: tuple[Server, Mixpeek]) -> None:
    server, client = fragile
    notes = Notes(client, [f"note {n}" for n in range(150)])

    def killed(after: Callable[[], Any], what: str) -> None:
        until(after, what=what, within_s=60)
        pid = server.child_pid("worker")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    task_id = client.collections.upgrade(notes.id, "2.0.0", start=True).upgrade["task_id"]
    killed(lambda: client.tasks.get(task_id).status != "PENDING", "the build is planned")
    killed(lambda: committed(client, task_id, 2), "two chunks are built")
    written = notes.add("written while building", wait=False)
    killed(lambda: committed(client, written, 1), "the batch is written and not yet repeated")
    ends = [client.tasks.wait(one, timeout_s=90).status for one in (task_id, written)]
    server.kill()
    server.start()
    built = client.collections.get_upgrade(notes.id)
    before = notes.texts()
    client.collections.switch(notes.id)
    server.kill()
    server.start()

    assert ends == ["COMPLETED"] * 2
    assert (built.state, built.incomplete, built.failed_rows) == ("READY", None, 0)
    assert notes.texts() == before == {*(f"note {n}" for n in range(150)), "written while building"}
    assert {maker_of(document) for document in all_documents(client, notes.collection)} == {NEW}
    assert client.collections.rollback(notes.id).state == "ROLLED_BACK"
    assert notes.texts() == before
    assert {maker_of(document) for document in all_documents(client, notes.collection)} == {OLD}
