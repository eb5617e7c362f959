"""A processor that fails on some rows: they are named with their cause, and all others are stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from httpx import get

from factories.platform import all_documents, bucket_with, collection_of, publish, run_batch
from factories.plugins import write_plugin
from factories.servers import API_KEY, Server
from mixpeek import Mixpeek

# Text → the cause and the words that its row must be reported with.
FAULTS = {
    "raise": ("raised", "ValueError: I do not like this row"),
    "none": ("reply_invalid", "returned None"),
    "drop": ("reply_invalid", "returned 0 rows for 1"),
    "nan": ("not_finite", "not a finite number"),
    "short": ("wrong_dimension", "embedding_dim 8"),
    "no vector": ("no_embedding", "no vector"),
    "infinite value": ("unstorable_value", "inf"),
    "crash": ("crashed", ""),
    "nul": ("unstorable_value", "\\u0000"),
    "surrogate": ("", "surrogate"),
    "large": ("unstorable_value", "50,000,000 bytes"),
}
GOOD = [f"good text {place}" for place in range(24)]

MOODY = """
    import os

    fault = self.config.get("fault")
    texts = [fault or text for text in batch["data"]]
    if "wrong column" in texts:
        batch["no_such_column"]
    if "raise" in texts:
        raise ValueError("I do not like this row")
    if "none" in texts:
        return None
    if "crash" in texts:
        os._exit(3)
    vectors = column_of(texts)
    for place, text in enumerate(texts):
        if text == "nan":
            vectors[place] = [float("nan")] * DIMENSION
        if text == "short":
            vectors[place] = [1.0, 2.0, 3.0]
        if text == "no vector":
            vectors[place] = None
    batch[FEATURE] = vectors
    batch["length"] = [float("inf") if text == "infinite value" else float(len(text)) for text in texts]
    notes = {"nul": "a\\x00b", "surrogate": "\\ud800", "large": "x" * 50_000_000}
    batch["note"] = [notes.get(text, text) for text in texts]
    batch = batch[[text != "drop" for text in texts]]
    if "reordered" in texts:
        batch = batch.iloc[::-1]
"""


@dataclass(frozen=True)
class Ended:
    """A batch that has ended, with what it stored and what it did not."""

    task: Any
    documents: list[Any]
    failures: dict[str, Any]  # by the text of the row


@pytest.fixture(scope="module")
def moody(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixpeek]:
    """A client whose namespace has the plugin `moody_words`, which fails as its rows or its parameters tell it."""
    with server.client() as client:
        publish(client, write_plugin(tmp_path_factory.mktemp("moody") / "moody_words", batch=MOODY))
        yield client


def run(client: Mixpeek, texts: list[str], *, parameters: dict[str, Any] | None = None) -> Ended:
    bucket_id = bucket_with(client, texts)
    collection = collection_of(client, bucket_id, "moody_words", parameters=parameters)
    task = run_batch(client, collection)
    path = f"{client.base_url}/v1/buckets/{bucket_id}/batches/{task['outputs'][0]['batch_id']}/failed-documents"
    headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
    answer = get(path, headers=headers).raise_for_status().json()
    text_of = {o["object_id"]: o["blobs"][0]["data"] for o in client.objects.list(bucket_id, limit=1000)["results"]}
    failures = {text_of[failure["object_id"]]: failure for failure in answer["failed_documents"]}
    assert len(answer["failed_documents"]) == answer["total"] == sum(answer["causes"].values())
    return Ended(task, all_documents(client, collection, return_vectors=True), failures)


@pytest.fixture(scope="module")
def mixed(moody: Mixpeek) -> Ended:
    """One batch of good rows with a row of each fault among them."""
    texts = [*GOOD, "reordered"]
    for place, fault in enumerate(FAULTS):
        texts.insert(3 * place + 1, fault)
    return run(moody, texts)


def test_the_batch_completes_with_errors_and_says_how_many_and_why(mixed: Ended) -> None:
    assert mixed.task.status == "COMPLETED_WITH_ERRORS"
    assert f"{len(FAULTS)} of {len(GOOD) + 1 + len(FAULTS)} rows were not stored" in mixed.task.error


def test_every_good_row_is_stored_whole_and_no_other(mixed: Ended) -> None:
    assert sorted(document["content"] for document in mixed.documents) == sorted([*GOOD, "reordered"])
    assert all(document["note"] == document["content"] for document in mixed.documents)
    assert all(len(document["words_vector"]) == 8 for document in mixed.documents)
    assert all(document["length"] == len(document["content"]) for document in mixed.documents)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_row_is_named_with_its_cause_when_its_processor_gives(fault: str, mixed: Ended) -> None:
    cause, words = FAULTS[fault]

    failure = mixed.failures[fault]

    # How half a character is met depends on which pandas the plugin runs with.
    assert failure["cause"] == cause or not cause, failure
    assert words in failure["message"]
    assert failure["document_id"].startswith("doc_")
    assert failure["document_id"] not in {document["document_id"] for document in mixed.documents}


def test_a_row_that_raises_is_reported_with_the_plugins_own_line(mixed: Ended) -> None:
    frames = mixed.failures["raise"]["details"]["frames"]

    assert [frame["file"] for frame in frames] == ["processors/core.py"]
    assert "raise ValueError" in frames[0]["code"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("wrong column", "KeyError: 'no_such_column'"),
        ("none", "returned None"),
        ("short", "embedding_dim 8"),
        ("drop", "rows"),
    ],
)
def test_a_batch_none_of_whose_rows_can_be_stored_fails_with_the_reason(moody: Mixpeek, fault: str, words: str) -> None:
    ended = run(moody, GOOD, parameters={"fault": fault})

    assert ended.task.status == "FAILED"
    assert words in ended.task.error
    assert ended.documents == []
    assert set(ended.failures) == set(GOOD)


def test_a_key_error_names_the_columns_there_are(moody: Mixpeek) -> None:
    ended = run(moody, ["one"], parameters={"fault": "wrong column"})

    for column in ("data", "content", "text", "document_id", "mime_type"):
        assert column in ended.task.error


def test_running_again_after_a_failure_stores_what_was_missing_and_nothing_twice(moody: Mixpeek) -> None:
    bucket_id = bucket_with(moody, ["one", "raise", "two"])
    collection = collection_of(moody, bucket_id, "moody_words")

    tasks = [run_batch(moody, collection) for _ in range(2)]

    assert [task.status for task in tasks] == ["COMPLETED_WITH_ERRORS"] * 2
    assert sorted(document["content"] for document in all_documents(moody, collection)) == ["one", "two"]


def test_a_bucket_without_objects_completes_with_nothing(moody: Mixpeek) -> None:
    collection = collection_of(moody, bucket_with(moody, ["one"]), "moody_words")
    empty = collection_of(
        moody, moody.buckets.create("empty", {"properties": {"content": {"type": "text"}}}).bucket_id, "moody_words"
    )

    task = run_batch(moody, empty)

    assert task.status == "COMPLETED", task.error
    assert all_documents(moody, collection) == all_documents(moody, empty) == []


def test_good_rows_after_a_chunk_that_was_wholly_lost_to_the_same_fault_are_stored(moody: Mixpeek) -> None:
    # Chunks here hold 32 objects: the first is all bad, the second has one bad row, which fails in the same words.
    good = [f"good text {place}" for place in range(31)]

    ended = run(moody, ["raise"] * 32 + [*good[:20], "raise", *good[20:]])

    assert ended.task.status == "COMPLETED_WITH_ERRORS"
    assert sorted(document["content"] for document in ended.documents) == sorted(good)
    assert ended.task["outputs"][0]["failed"] == 33
