"""Collections, batches, documents and searches, with a plugin of one's own and with the built-in one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from factories.platform import (
    all_documents,
    bucket_with,
    collection_of,
    publish,
    retriever_over,
    run_batch,
    search,
    unique,
)
from factories.plugins import write_plugin
from factories.servers import Server
from mixpeek import Mixpeek
from mixpeek.client import ApiError

TEXTS = ["red apples and pears", "the cat on the mat", "rain in the north"]


@pytest.fixture(scope="module")
def words(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixpeek]:
    """A client whose namespace has the plugin `small_words` published."""
    with server.client() as client:
        publish(client, write_plugin(tmp_path_factory.mktemp("words") / "small_words"))
        yield client


@pytest.fixture(scope="module")
def filled(words: Mixpeek) -> Any:
    """A collection whose batch is done, over three objects with a topic each."""
    bucket_id = bucket_with(words, TEXTS, topics=["fruit", "pets", "weather"])
    passed = ["content", {"source_path": "metadata.topic", "target_path": "about"}]
    collection = collection_of(words, bucket_id, "small_words", field_passthrough=passed)
    task = run_batch(words, collection)
    assert task.status == "COMPLETED", task.error
    return words.collections.get(collection.collection_id)


def test_a_text_finds_its_own_document_first(words: Mixpeek, filled: Any) -> None:
    found = search(words, filled, "the cat on the mat")

    assert found[0]["content"] == "the cat on the mat"
    assert found[0]["score"] == pytest.approx(1.0, abs=1e-6)
    assert [document["score"] for document in found] == sorted((d["score"] for d in found), reverse=True)


def test_documents_carry_what_is_passed_through_and_their_lineage(words: Mixpeek, filled: Any) -> None:
    [document] = [d for d in all_documents(words, filled) if d["content"] == TEXTS[1]]

    assert document["about"] == "pets"
    assert "words_vector" not in document
    assert document["_internal"]["lineage"]["root_bucket_id"] == filled["source"]["bucket_ids"][0]
    assert document["_internal"]["source_blobs"][0]["blob_property"] == "content"


def test_vectors_come_only_when_asked_for(words: Mixpeek, filled: Any) -> None:
    document_id = all_documents(words, filled)[0]["document_id"]

    plain = words.documents.get(filled.collection_id, document_id)
    with_vectors = words.documents.get(filled.collection_id, document_id, return_vectors=True)

    assert "words_vector" not in plain
    assert len(with_vectors["words_vector"]) == 8


def test_a_page_ends_with_the_cursor_of_the_next(words: Mixpeek, filled: Any) -> None:
    first = words.documents.list(filled.collection_id, limit=2)
    second = words.documents.list(filled.collection_id, limit=2, cursor=first["pagination"]["next_cursor"])

    ids = [document["document_id"] for page in (first, second) for document in page["results"]]
    assert (len(first["results"]), len(second["results"])) == (2, 1)
    assert ids == sorted(set(ids))
    assert second["pagination"]["next_cursor"] is None


def test_triggering_again_writes_the_same_documents_again(words: Mixpeek, filled: Any) -> None:
    before = {document["document_id"] for document in all_documents(words, filled)}

    task = run_batch(words, filled)

    assert task.status == "COMPLETED"
    assert {document["document_id"] for document in all_documents(words, filled)} == before


def test_a_batch_runs_over_the_chosen_objects_only(words: Mixpeek) -> None:
    bucket_id = bucket_with(words, TEXTS)
    collection = collection_of(words, bucket_id, "small_words")
    chosen = words.objects.list(bucket_id)["results"][1]["object_id"]

    batch = words.batches.create(bucket_id, [chosen])
    task = words.tasks.wait(words.batches.submit(bucket_id, batch.batch_id).task_id, timeout_s=60)
    ended = words.batches.get(bucket_id, batch.batch_id)

    assert batch.status == "DRAFT"
    assert task.status == ended.status == "COMPLETED"
    assert [document["content"] for document in all_documents(words, collection)] == [TEXTS[1]]


def test_a_submitted_batch_cannot_be_submitted_again(words: Mixpeek) -> None:
    bucket_id = bucket_with(words, TEXTS)
    collection_of(words, bucket_id, "small_words")
    ids = [stored["object_id"] for stored in words.objects.list(bucket_id)["results"]]
    batch = words.batches.create(bucket_id, ids)
    submitted = words.batches.submit(bucket_id, batch.batch_id)

    with pytest.raises(ApiError) as refused:
        words.batches.submit(bucket_id, batch.batch_id)

    assert refused.value.status == 409
    assert submitted.task_id in str(refused.value.hint)


def test_a_mapping_that_reads_an_unknown_field_is_refused_with_the_fields_there_are(words: Mixpeek) -> None:
    bucket_id = bucket_with(words, TEXTS)

    with pytest.raises(ApiError) as refused:
        collection_of(words, bucket_id, "small_words", input_mappings={"text": "contnt"})

    assert refused.value.status == 422
    assert "content, topic" in str(refused.value.hint)


def test_a_retriever_over_a_feature_that_is_not_there_is_refused_with_those_that_are(
    words: Mixpeek, filled: Any
) -> None:
    elsewhere = {"vector_indexes": [{"feature_uri": "mixpeek://small_words@9.9.9/words_vector"}]}
    wrong = type(filled)({**filled, **elsewhere})

    with pytest.raises(ApiError) as refused:
        retriever_over(words, wrong)

    assert refused.value.status == 422
    assert "mixpeek://small_words@1.0.0/words_vector" in str(refused.value.hint)


@pytest.mark.parametrize("inputs", [{}, {"query": " "}, {"query": "x", "colour": "red"}])
def test_inputs_that_a_retriever_cannot_use_are_refused(words: Mixpeek, filled: Any, inputs: dict[str, str]) -> None:
    retriever_id = retriever_over(words, filled)

    with pytest.raises(ApiError) as refused:
        words.retrievers.execute(retriever_id, inputs)

    assert (refused.value.status, refused.value.type) == (422, "ValidationError")
    assert refused.value.hint


def test_the_built_in_text_extractor_works_without_publishing_anything(client: Mixpeek) -> None:
    texts = ["Quicksort partitions a list", "How to water tomatoes in summer", "My cat sleeps all day"]
    collection = collection_of(client, bucket_with(client, texts), "text_extractor", version="v1")

    task = run_batch(client, collection)
    found = search(client, collection, "an algorithm that orders numbers")

    assert task.status == "COMPLETED", task.error
    assert found[0]["content"] == texts[0]
    assert client.plugins.list(source="builtin")["extractors"][0]["name"] == "text_extractor"


def test_a_namespace_with_collections_is_deleted_only_by_force(words: Mixpeek, server: Server) -> None:
    with server.client() as own:
        bucket_id = bucket_with(own, TEXTS)
        collection_of(own, bucket_id, "text_extractor", version="v1")

        with pytest.raises(ApiError) as refused:
            own.namespaces.delete(own.namespace or "")
        own.namespaces.delete(own.namespace or "", force=True)
        with pytest.raises(ApiError) as gone:
            own.namespaces.get(own.namespace or "")

    assert refused.value.status == 409
    assert "force" in str(refused.value.hint)
    assert gone.value.status == 404


def test_names_are_free_again_in_another_namespace(words: Mixpeek, client: Mixpeek) -> None:
    name = unique("texts")
    schema = {"properties": {"content": {"type": "text"}}}

    first = words.buckets.create(name, schema)
    second = client.buckets.create(name, schema)

    assert first.bucket_id != second.bucket_id
