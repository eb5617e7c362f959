"""A server whose vectors lie in Qdrant: from a batch to an answer, and what it says while Qdrant is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from factories.commands import Ran, run_command
from factories.platform import all_documents, bucket_with, collection_of, publish, retriever_over, run_batch, search
from factories.plugins import write_plugin
from factories.qdrant_twin import QdrantTwin
from factories.servers import API_KEY, Server
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.client.errors import ApiError
from mixpeek.db.embedded import EmbeddedPostgres

TEXTS = ["red fox", "blue whale", "green frog"]


@pytest.fixture(scope="module")
def qdrant() -> Iterator[QdrantTwin]:
    running = QdrantTwin().start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def server(qdrant: QdrantTwin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # type: ignore[override]
    own = Server(tmp_path_factory.mktemp("qdrant") / "data", {"MIXPEEK_DOCUMENTS_URL": qdrant.url})
    try:
        yield own.start()
        assert own.stop() == 0
    finally:
        own.discard()


def test_what_a_batch_makes_is_found_by_meaning_until_it_is_deleted_and_then_leaves_qdrant(
    server: Server, qdrant: QdrantTwin, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with server.client() as client:
        publish(client, write_plugin(tmp_path_factory.mktemp("words") / "kept_words"), deploy=True)
        collection = collection_of(client, bucket_with(client, TEXTS), "kept_words")

        task = run_batch(client, collection)
        again = run_batch(client, collection)
        documents = all_documents(client, collection, return_vectors=True)
        found = search(client, collection, "red fox")
        client.documents.delete(collection.collection_id, found[0]["document_id"])
        left = search(client, collection, "red fox")

        assert [each.status for each in (task, again)] == ["COMPLETED", "COMPLETED"]
        assert sorted(each["content"] for each in documents) == sorted(TEXTS)
        assert all(len(each["words_vector"]) == 8 for each in documents)
        assert found[0]["content"] == "red fox"
        assert found[0]["score"] == pytest.approx(1.0, abs=1e-6)
        assert sorted(each["content"] for each in left) == ["blue whale", "green frog"]
        until(lambda: qdrant.count() == 2, what="what was replaced and deleted has left Qdrant")
    with psycopg.connect(EmbeddedPostgres(server.data_dir).url, autocommit=True) as connection:
        until(
            lambda: connection.execute("SELECT count(*) FROM vector_removals").fetchone() == (0,),
            what="what left Qdrant is no longer noted",
        )
        counted = connection.execute(
            "SELECT (SELECT count(*) FROM document_vectors), (SELECT count(*) FROM vector_points),"
            " (SELECT count(*) FROM vector_writes), (SELECT count(*) FROM vector_removals)"
        ).fetchone()
    assert counted == (0, 2, 0, 0)


def test_a_restore_is_refused_where_the_vectors_are_not_and_can_do_without_them(
    server: Server, qdrant: QdrantTwin, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    with server.client() as client:
        publish(client, write_plugin(tmp_path / "words" / "saved_words"), deploy=True)
        collection = collection_of(client, bucket_with(client, TEXTS), "saved_words")
        assert run_batch(client, collection).status == "COMPLETED"
        retriever = retriever_over(client, collection)
        answer = found(client, retriever)
    there = {"MIXPEEK_DOCUMENTS_URL": qdrant.url}
    taken = run_command("backup", tmp_path / "b", "--data-dir", server.data_dir, "--keys", keys, cwd=tmp_path, **there)
    empty = QdrantTwin().start()

    def restore(name: str, *arguments: str, **variables: str) -> Ran:
        line = ("restore", tmp_path / "b", "--data-dir", tmp_path / name, "--keys", keys, *arguments)
        return run_command(*line, cwd=tmp_path, **variables)

    try:
        refused = [restore("none"), restore("none", MIXPEEK_DOCUMENTS_URL=empty.url)]
    finally:
        empty.stop()
    restored, without = restore("none", **there), restore("without", "--without-vectors")
    answers = []
    for name, settings in (("none", there), ("without", dict[str, str]())):
        second = Server(tmp_path / name, settings)
        try:
            second.start()
            with Mixpeek(api_key=API_KEY, base_url=second.url, namespace=client.namespace) as other:
                answers.append(found(other, retriever))
                if name == "without":
                    assert len(all_documents(other, collection)) == len(TEXTS)
                    assert run_batch(other, collection).status == "COMPLETED"
                    answers.append(found(other, retriever))
        finally:
            second.discard()

    assert taken.code == 0, taken.err
    assert [each.code for each in refused] == [1, 1]
    assert "and are not in it; MIXPEEK_DOCUMENTS_URL names none" in refused[0].err
    assert "the cluster that MIXPEEK_DOCUMENTS_URL names has 0" in refused[1].err
    assert (restored.code, without.code) == (0, 0), restored.err + without.err
    assert answers == [answer, [], answer]


def found(client: Mixpeek, retriever: str) -> list[tuple[str, float]]:
    """Return what a search finds, best first."""
    documents = client.retrievers.execute(retriever, inputs={"query": "red fox"})["documents"]
    return [(document["content"], pytest.approx(document["score"], abs=1e-6)) for document in documents]


def test_a_server_whose_vectors_lie_in_the_other_place_ends_and_says_so(qdrant: QdrantTwin, tmp_path: Path) -> None:
    own = Server(tmp_path / "data")
    try:
        with own.start().client() as client:
            publish(client, write_plugin(tmp_path / "here" / "kept_words"))
            assert (
                run_batch(client, collection_of(client, bucket_with(client, TEXTS), "kept_words")).status == "COMPLETED"
            )
        assert own.stop() == 0

        place = ["--port", "0", "--data-dir", str(own.data_dir)]
        ended = run_command("serve", *place, cwd=tmp_path, MIXPEEK_DOCUMENTS_URL=qdrant.url)
    finally:
        own.discard()

    assert ended.code == 1
    assert "documents lie in the database, and MIXPEEK_DOCUMENTS_URL says a Qdrant cluster: Set it back" in ended.err
    assert "process refuses a setting" in ended.err
    assert "starting it again" not in ended.err
    assert own.postmaster_pid() is None


def test_while_qdrant_is_away_batches_wait_searches_say_so_and_lists_are_answered(
    server: Server, qdrant: QdrantTwin, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with server.client() as client:
        publish(client, write_plugin(tmp_path_factory.mktemp("words") / "awaited_words"), deploy=True)
        bucket_id = bucket_with(client, TEXTS)
        collection = collection_of(client, bucket_id, "awaited_words")
        run_batch(client, collection)
        retriever = retriever_over(client, collection)
        headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
        with httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=60) as http:
            qdrant.stop()
            try:
                triggered = client.collections.trigger(collection.collection_id)
                path = f"/buckets/{bucket_id}/batches/{triggered.batch_id}"
                paused = until(lambda: http.get(path).json()["progress"]["paused"], what="the batch waits", within_s=60)
                with pytest.raises(ApiError) as refused:
                    client.retrievers.execute(retriever, inputs={"query": "red fox"})
                listed = all_documents(client, collection)
            finally:
                qdrant.start()
            ended = client.tasks.wait(triggered.task_id, timeout_s=60)
            found = search(client, collection, "red fox")

    assert paused["cause"] == "vector_store_away"
    assert refused.value.status == 503
    assert len(listed) == 3
    assert (ended.status, ended.error) == ("COMPLETED", None)
    assert found[0]["content"] == "red fox"
