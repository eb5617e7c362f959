"""Marks of values: written with documents, kept by edits, and given to what was stored before there were any."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from factories.indexes import NewIndex
from factories.stored_values import stored_documents
from mixpeek.db.pool import Connection, dict_rows
from mixpeek.documents.port import Index, NewDocument
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.documents.value_marks import marks_of

STORE = PostgresDocuments()


@pytest.fixture
def index(connection: Connection, new_index: NewIndex) -> Index:
    index = new_index()
    documents = [
        NewDocument(f"doc_{n:03}", "btch_1", "obj_1", made["payload"], made["internal"])
        for n, made in enumerate(stored_documents())
    ]
    STORE.upsert(connection, index, documents)
    return index


def marks(connection: Connection, index: Index) -> dict[str, list[int]]:
    rows = dict_rows(
        connection,
        "SELECT document_id, value_marks FROM documents WHERE collection_id = %s AND generation = %s",
        [index.collection_id, index.generation],
    )
    return {row["document_id"]: row["value_marks"] for row in rows}


def expected(connection: Connection, index: Index) -> dict[str, list[int]]:
    found = STORE.fetch(connection, [index], list(marks(connection, index)))
    return {key: marks_of(index, document.payload, document.internal) for key, document in found.items()}


def test_documents_have_the_marks_of_what_is_read_of_them_again(connection: Connection, index: Index) -> None:
    assert marks(connection, index) == expected(connection, index)
    assert sum(map(len, marks(connection, index).values())) > 200


def test_an_edit_and_an_upsert_that_keeps_it_mark_the_document_anew(connection: Connection, index: Index) -> None:
    before = marks(connection, index)["doc_001"]

    STORE.edit(connection, index, ["doc_001"], {"note": "mine"})
    edited = marks(connection, index)
    assert edited == expected(connection, index)
    assert edited["doc_001"] != before

    STORE.upsert(connection, index, [NewDocument("doc_001", "btch_2", "obj_1", {"text": "new"}, {})])
    assert marks(connection, index) == expected(connection, index)
    assert len(marks(connection, index)["doc_001"]) == 2


def test_what_users_set_is_marked_in_the_generation_it_is_carried_to(connection: Connection, index: Index) -> None:
    connection.execute(
        "INSERT INTO collection_generations (collection_id, generation, plugin_namespace, plugin_id, code_hash,"
        " features) VALUES (%s, 2, 'ns', 'words_2_0_0', '', %s)",
        [index.collection_id, Jsonb([])],
    )
    after = Index(index.collection_id, 2)
    STORE.upsert(connection, after, [NewDocument("doc_001", "btch_2", "obj_1", {"text": "new"}, {})])
    STORE.edit(connection, index, ["doc_001"], {"note": "mine"})

    STORE.carry_over(connection, index, 2)

    assert marks(connection, after) == expected(connection, after)
    assert len(marks(connection, after)["doc_001"]) > 1


def test_the_migration_marks_what_was_stored_before(
    connection: Connection, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration: Any = importlib.import_module("mixpeek.db.migrations.versions.0030_value_marks")
    monkeypatch.setattr(migration, "AT_ONCE", 7)
    before = marks(connection, index)
    connection.execute("UPDATE documents SET value_marks = '{}'")

    migration.mark_stored_documents(connection)

    assert marks(connection, index) == before
