"""What is remembered of a retriever is used while it is so, and never once it is not."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from factories.executions import URI, new_collection, tools, vector_of
from mixpeek.db.pool import Connection, Database
from mixpeek.db.time_limit import FilterTimedOut
from mixpeek.documents.port import Index, NewDocument
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.documents.segment_building import SegmentBuilder
from mixpeek.documents.segments import Limits
from mixpeek.errors import InvalidRequest, MixpeekError, NotFound
from mixpeek.retrieval import queries
from mixpeek.retrieval.execution import Executor
from mixpeek.retrieval.explaining import Timings
from mixpeek.retrieval.schemas import CreateRetriever, Execute, PatchRetriever
from mixpeek.retrieval.service import create_retriever, delete_retriever, update_retriever
from mixpeek.tenancy.service import bootstrap, create_namespace

LIMITS = Limits(shared_rows=20, segment_rows=20, most_segments=8, together=3)


@dataclass
class Searches:
    """One retriever over one collection, executed by its name; `looked_up` counts how often it was looked up."""

    database: Database
    namespace_id: str
    retriever_id: str
    index: Index
    store: PostgresDocuments
    executor: Executor
    looked_up: list[str] = field(default_factory=list)

    def found(self, **inputs: Any) -> list[str]:
        body = Execute.model_validate({"inputs": {"vector": [1.0, 0.5, -1.0, 2.0], **inputs}})
        answer = self.executor.execute(self.namespace_id, "near", body)
        return [document["document_id"] for document in answer["documents"]]

    def write(self, prefix: str, count: int, generation: int = 1) -> None:
        ids = [f"{prefix}_{number:03}" for number in range(count)]
        documents = [NewDocument(each, "btch_1", "obj_1", {}, {}, {"vec": vector_of(each)}) for each in ids]
        with self.database.transaction() as connection:
            self.store.upsert(connection, Index(self.index.collection_id, generation), documents)


@pytest.fixture
def searches(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Searches]:
    store = PostgresDocuments(LIMITS)
    with database.transaction() as connection:
        fields = {"namespace_name": f"known_{secrets.token_hex(4)}", "namespace_type": "standard", "description": None}
        fields |= {"feature_extractors": [], "payload_indexes": [], "auto_create_indexes": False}
        namespace_id = create_namespace(connection, bootstrap(connection, "sk_test"), fields).namespace_id
        collection, index = new_collection(connection, namespace_id)
        retriever_id = create_retriever(connection, namespace_id, recipe(collection)).retriever_id
    made = Searches(database, namespace_id, retriever_id, index, store, Executor(database, store, tools(), Timings()))
    look_up = queries.find_with_targets

    def counted(connection: Connection, namespace_id: str, identifier: str) -> Any:
        made.looked_up.append(identifier)
        return look_up(connection, namespace_id, identifier)

    monkeypatch.setattr(queries, "find_with_targets", counted)
    yield made
    with database.transaction() as connection:
        connection.execute("DELETE FROM collections WHERE namespace_id = %s", [namespace_id])


def recipe(collection: str) -> CreateRetriever:
    search = {"feature_uri": URI, "query": {"input_mode": "vector", "value": "{{INPUT.vector}}"}, "top_k": 5}
    return CreateRetriever.model_validate(
        {
            "retriever_name": "near",
            "collection_identifiers": [collection],
            "input_schema": {"vector": {"type": "array", "required": True}},
            "stages": [{"stage_name": "s", "stage_id": "feature_search", "parameters": {"searches": [search]}}],
        }
    )


def test_it_is_looked_up_once(searches: Searches) -> None:
    searches.write("one", 10)

    first = searches.found()

    assert len(first) == 5
    assert [searches.found() for _ in range(5)] == [first] * 5
    assert searches.looked_up == ["near"]


def test_what_is_written_since_is_found(searches: Searches) -> None:
    searches.write("one", 10)
    before = searches.found()
    searches.write("two", 200)  # the collection has tables of its own now
    while SegmentBuilder(searches.database, LIMITS).next_step(searches.index, "task_1"):
        pass

    assert set(searches.found()) - set(before)
    assert searches.looked_up == ["near"]


def test_a_collection_that_was_switched_is_searched_in_its_new_generation_at_once(searches: Searches) -> None:
    searches.write("old", 10)
    assert all(each.startswith("old") for each in searches.found())
    with searches.database.transaction() as connection:
        next_generation(connection, searches.index.collection_id)
    searches.write("new", 10, generation=2)

    with searches.database.transaction() as connection:
        switch(connection, searches.index.collection_id)

    assert all(each.startswith("new") for each in searches.found())
    assert searches.looked_up == ["near"] * 2


def test_a_generation_whose_tables_are_gone_fails_no_search(searches: Searches) -> None:
    searches.write("old", 100)
    searches.found()
    with searches.database.transaction() as connection:
        next_generation(connection, searches.index.collection_id)
    searches.write("new", 10, generation=2)
    with searches.database.transaction() as connection:
        switch(connection, searches.index.collection_id)
        connection.execute(
            "DELETE FROM large_indexes WHERE collection_id = %s AND generation = 1", [searches.index.collection_id]
        )

    assert all(each.startswith("new") for each in searches.found())


def test_a_retriever_that_was_renamed_or_deleted_is_not_found_any_more(searches: Searches) -> None:
    searches.write("one", 10)
    searches.found()
    with searches.database.transaction() as connection:
        other = PatchRetriever(retriever_name="far")
        update_retriever(connection, searches.namespace_id, searches.retriever_id, other)
    with pytest.raises(NotFound):
        searches.found()

    with searches.database.transaction() as connection:
        again = PatchRetriever(retriever_name="near")
        update_retriever(connection, searches.namespace_id, searches.retriever_id, again)
    searches.found()
    with searches.database.transaction() as connection:
        delete_retriever(connection, searches.namespace_id, searches.retriever_id)
    with pytest.raises(NotFound):
        searches.found()


def test_a_collection_that_is_gone_is_told_as_if_it_had_been_looked_up(searches: Searches) -> None:
    searches.write("one", 10)
    searches.found()
    with searches.database.transaction() as connection:
        connection.execute("DELETE FROM collections WHERE collection_id = %s", [searches.index.collection_id])

    with pytest.raises(NotFound, match="collection"):
        searches.found()


def test_a_wrong_request_is_judged_by_what_is_so_now(searches: Searches) -> None:
    searches.write("one", 10)
    searches.found()
    with pytest.raises(InvalidRequest, match="list of 4 numbers"):
        searches.found(vector=[1.0])
    with searches.database.transaction() as connection:
        delete_retriever(connection, searches.namespace_id, searches.retriever_id)

    with pytest.raises(MixpeekError) as told:
        searches.found(vector=[1.0])

    assert isinstance(told.value, NotFound)


def test_where_nothing_is_found_it_is_looked_up_to_be_sure_and_not_searched_again(
    searches: Searches, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []
    search = PostgresDocuments.search

    def counted(*arguments: Any, **named: Any) -> Any:
        searched.append("")
        return search(*arguments, **named)

    monkeypatch.setattr(PostgresDocuments, "search", counted)

    assert searches.found() == []
    assert searches.found() == []
    assert (len(searched), searches.looked_up) == (2, ["near"] * 2)


def test_an_execution_that_fails_is_not_begun_again(searches: Searches, monkeypatch: pytest.MonkeyPatch) -> None:
    searches.write("one", 10)
    searches.found()
    failed: list[str] = []

    def fail(*_: Any, **__: Any) -> Any:
        failed.append("")
        raise FilterTimedOut("it took the database too long")

    monkeypatch.setattr(PostgresDocuments, "search", fail)
    with pytest.raises(FilterTimedOut):
        searches.found()

    assert (len(failed), searches.looked_up) == (1, ["near"] * 2)


def switch(connection: Connection, collection_id: str) -> None:
    connection.execute("UPDATE collections SET live_generation = 2 WHERE collection_id = %s", [collection_id])


def next_generation(connection: Connection, collection_id: str) -> None:
    feature = {"name": "vec", "dimensions": 4, "distance": "dot", "feature_uri": URI}
    connection.execute(
        "INSERT INTO collection_generations (collection_id, generation, plugin_namespace, plugin_id, code_hash,"
        " features) SELECT collection_id, 2, plugin_namespace, plugin_id, code_hash, %s FROM collection_generations"
        " WHERE collection_id = %s AND generation = 1",
        [Jsonb([feature]), collection_id],
    )
