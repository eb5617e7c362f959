"""A generation that is given up is emptied page by page, with what was made of the documents that it alone had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from factories.indexes import NewIndex
from mixpeek.collections import dropping, queries
from mixpeek.collections.dropping import Dropping, give_up
from mixpeek.collections.upgrade_queries import list_written
from mixpeek.db.pool import Connection, scalar
from mixpeek.documents.port import Index, NewDocument
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.tenancy.service import get_namespace
from mixpeek.workflows.tasks import get_task

STORE = PostgresDocuments()


class OneTransaction:
    """A database of which everybody shares one open transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        yield self._connection


class Steps:
    """Runs each action once; after `dies_after` of them, as a process that is killed."""

    def __init__(self, dies_after: int = 1000) -> None:
        self._left = dies_after

    def step(self, _: str, action: Callable[[], Any]) -> Any:
        return action()

    def repeatable(self, _: str, action: Callable[[], Any]) -> Any:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        return action()


def write(connection: Connection, index: Index, ids: list[str], **more: Any) -> None:
    vectors = {"words": np.array([1.0, 0.0], dtype=np.float32)}
    made = [NewDocument(each, "btch_1", "obj_1", {"text": each}, {}, vectors, **more) for each in ids]
    STORE.upsert(connection, index, made)


def test_a_dropped_generation_goes_page_by_page_also_after_a_crash_and_leaves_the_other_alone(
    connection: Connection, namespace_id: str, new_index: NewIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dropping, "PAGE", 4)
    live, reader = new_index(), new_index()
    generation = {"plugin_namespace": namespace_id, "plugin_id": "words_2_0_0", "code_hash": "", "parameters": {}}
    number = queries.insert_generation(connection, {"collection_id": live.collection_id, "features": [], **generation})
    given_up = replace(live, generation=number)
    write(connection, live, [f"doc_{n}" for n in range(8)])
    write(connection, given_up, [f"doc_{n}" for n in range(10)])
    for source in ("doc_0", "doc_9"):
        write(connection, reader, [f"of_{source}"], source_document_id=source)
    organization_id = scalar(
        connection, "SELECT organization_id FROM namespaces WHERE namespace_id = %s", [namespace_id]
    )
    task_id = give_up(connection, get_namespace(connection, organization_id, namespace_id), given_up)
    written = list_written(connection, live.collection_id)
    database: Any = OneTransaction(connection)
    inputs = {"collection_id": given_up.collection_id, "generation": given_up.generation}

    with pytest.raises(KeyboardInterrupt):
        Dropping(database, STORE).run(Steps(dies_after=1), task_id, inputs)
    after_crash = STORE.count(connection, given_up), get_task(connection, organization_id, task_id).status
    Dropping(database, STORE).run(Steps(), task_id, inputs)

    assert written == [1]
    assert after_crash == (6, "PROCESSING")
    assert get_task(connection, organization_id, task_id).status == "COMPLETED"
    assert STORE.count(connection, live) == 8
    assert len(STORE.search(connection, [live], "words", [1.0, 0.0], "cosine", 20)) == 8
    assert list(STORE.fetch(connection, [reader], ["of_doc_0", "of_doc_9"])) == ["of_doc_0"]
    for table in (
        "collection_generations",
        "documents",
        "document_keys",
        "document_vectors",
        "text_blocks",
        "segments",
    ):
        left = f"SELECT count(*) FROM {table} WHERE collection_id = %s AND generation = %s"
        assert scalar(connection, left, [given_up.collection_id, number]) == 0, table  # type: ignore[arg-type]
