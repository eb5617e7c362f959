"""What is deleted while a batch makes it stays deleted, and what is lost beside it is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories.twins import (
    ALWAYS,
    TwinExecution,
    TwinHost,
    missing,
    prepare,
    ran,
)
from factories.waiting import until
from mixpeek.batches import chunk_queries, outcome_queries, queries
from mixpeek.batches.deletions import watch
from mixpeek.batches.job import Job
from mixpeek.batches.runner import ChunkRunner
from mixpeek.contract.pipeline import RowCondition
from mixpeek.db.pool import Connection, Database, dict_rows, new_id, scalar
from mixpeek.documents.port import NewDocument, Sources
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.execution.port import Isolation, PartialRun, Step


class DeletingTwin(TwinHost):
    """A host beside which somebody deletes an object, while it runs the row made of it."""

    def __init__(self, delete: Callable[[str], None]) -> None:
        super().__init__()
        self._delete = delete

    def run_isolated(self, table: pa.Table, isolation: Isolation, **more: Any) -> PartialRun:
        for text, object_id in zip(*(table.column(name).to_pylist() for name in ("data", "object_id")), strict=True):
            if text.startswith(("doomed", "raise")):
                self._delete(object_id)
        return super().run_isolated(table, isolation, **more)


class ForgettingTwin(TwinHost):
    """A host beside which somebody deletes the document that a row is about to become."""

    def __init__(self, delete: Callable[[str], object]) -> None:
        super().__init__()
        self._delete = delete

    def run_isolated(self, table: pa.Table, isolation: Isolation, **more: Any) -> PartialRun:
        for text, document_id in zip(
            *(table.column(name).to_pylist() for name in ("data", "document_id")), strict=True
        ):
            if text.startswith("doomed"):
                self._delete(document_id)
        return super().run_isolated(table, isolation, **more)


def test_nothing_is_stored_or_told_of_what_is_deleted_while_it_runs(database: Database, namespace_id: str) -> None:
    rows = [(kind, "text/plain") for kind in ("good", "doomed", "raise", "good", "good")]
    documents = PostgresDocuments()
    with database.transaction() as connection:
        job = prepare(connection, namespace_id, rows, 3)
        chunks = chunk_queries.list_open_chunks(connection, job.batch_id, job.index.collection_id)

    def delete(object_id: str) -> None:
        with database.transaction() as connection:
            documents.delete_of_objects(connection, namespace_id, [object_id])
            connection.execute("DELETE FROM objects WHERE object_id = %s", [object_id])

    twins = TwinExecution([Step(0, "step", "cpu", RowCondition.ALWAYS, True)], partial(DeletingTwin, delete))
    ChunkRunner(database, documents, twins, 1).run(job, chunks)  # type: ignore[arg-type]

    with database.transaction() as connection:
        stored = documents.list_page(connection, job.index, after="", limit=10)
        counts = chunk_queries.count_rows(connection, job.batch_id, [job.index.collection_id])
        assert missing(connection, job) == 0
        assert outcome_queries.list_outcomes(connection, job.batch_id, 10) == []
    assert sorted(each.payload["content"] for each in stored) == ["good:0", "good:3", "good:4"]
    assert counts == {"rows": 3, "written": 3, "skipped": 0, "failed": 0}


def test_a_deletion_waits_for_what_is_being_stored_and_takes_it_along(database: Database, namespace_id: str) -> None:
    documents = PostgresDocuments()
    with database.transaction() as connection:
        job = prepare(connection, namespace_id, [("good", "text/plain")], 1)
        [object_id] = chunk_queries.get_chunk(connection, job.batch_id, job.index.collection_id, 0).object_ids
    made = NewDocument("doc_late", job.batch_id, object_id, {}, {})
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    def delete() -> int:
        with database.transaction() as connection:
            return documents.delete_of_objects(connection, namespace_id, [object_id])

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            documents.hold_off_deletions(connection, namespace_id)
            deletion = pool.submit(delete)
            until(lambda: scalar(connection, waiting), what="the deletion waits")
            documents.upsert(connection, job.index, [made])
        assert deletion.result(timeout=30) == 1

    with database.transaction() as connection:
        assert documents.count(connection, job.index) == 0


def lose(connection: Connection, job: Job, document_ids: Sequence[str]) -> None:
    """Have documents vanish behind the platform's back."""
    for table in ("documents", "document_keys", "document_vectors"):
        connection.execute(
            f"DELETE FROM {table} WHERE collection_id = %s AND document_id = ANY(%s)",  # type: ignore[arg-type]
            [job.index.collection_id, list(document_ids)],
        )


@given(st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_users_delete_is_not_missed_and_what_is_lost_beside_it_is_found_to_the_document(
    database: Database, namespace_id: str, data: st.DataObject
) -> None:
    documents = PostgresDocuments()
    job = ran(database, namespace_id, [("good", "text/plain")] * 9 + [("raise", "text/plain")])
    with database.transaction() as connection:
        stored = dict_rows(
            connection,
            "SELECT document_id, object_id FROM documents WHERE collection_id = %s ORDER BY object_id",
            [job.index.collection_id],
        )
        fates = data.draw(st.lists(st.sampled_from(["kept", "document", "object", "lost"]), min_size=9, max_size=9))
        by_fate = {fate: [one for one, its in zip(stored, fates, strict=True) if its == fate] for fate in set(fates)}
        documents.delete(connection, job.index, [one["document_id"] for one in by_fate.get("document", [])])
        objects = [one["object_id"] for one in by_fate.get("object", [])]
        documents.delete_of_objects(connection, namespace_id, objects)
        connection.execute("DELETE FROM objects WHERE object_id = ANY(%s)", [objects])
        lose(connection, job, [one["document_id"] for one in by_fate.get("lost", [])])

        assert len(stored) == 9
        assert missing(connection, job) == fates.count("lost")


def test_a_document_of_an_earlier_batch_does_not_stand_in_for_one_that_is_lost(
    database: Database, namespace_id: str
) -> None:
    job = ran(database, namespace_id, [("good", "text/plain"), ("raise", "text/plain")])
    with database.transaction() as connection:
        [outcome] = outcome_queries.list_outcomes(connection, job.batch_id, 10)
        left = NewDocument(outcome["document_id"], "btch_before", outcome["object_id"], {}, {})
        PostgresDocuments().upsert(connection, job.index, [left])
        [written] = dict_rows(connection, "SELECT document_id FROM documents WHERE batch_id = %s", [job.batch_id])
        before = missing(connection, job)
        lose(connection, job, [written["document_id"]])

        assert (before, missing(connection, job)) == (0, 1)


def test_what_another_batch_writes_again_or_no_longer_makes_is_not_missed(
    database: Database, namespace_id: str
) -> None:
    documents = PostgresDocuments()
    job = ran(database, namespace_id, [("good", "text/plain")] * 3)
    with database.transaction() as connection:
        [again, gone, lost] = documents.list_page(connection, job.index, after="", limit=5)
        sources = {one.document_id: one.internal["lineage"]["source_object_id"] for one in (again, gone)}
        other = NewDocument(again.document_id, "btch_other", sources[again.document_id], {}, {})
        documents.upsert(connection, job.index, [other])
        documents.keep_only(connection, job.index, {}, Sources(object_ids=[sources[gone.document_id]]), "btch_other")
        before = missing(connection, job)
        lose(connection, job, [lost.document_id])

        assert (before, missing(connection, job)) == (0, 1)


def test_a_document_deleted_while_a_batch_makes_it_is_not_stored_in_any_generation(
    database: Database, namespace_id: str
) -> None:
    rows = [(kind, "text/plain") for kind in ("good", "doomed", "good")]
    documents = PostgresDocuments()
    with database.transaction() as connection:
        job = prepare(connection, namespace_id, rows, 3)
        chunks = chunk_queries.list_open_chunks(connection, job.batch_id, job.index.collection_id)
    deleted: list[str] = []

    def delete(document_id: str) -> None:
        deleted.append(document_id)
        with database.transaction() as connection:
            documents.delete(connection, job.index, [document_id])

    twins = TwinExecution([ALWAYS], partial(ForgettingTwin, delete))
    ChunkRunner(database, documents, twins, 1).run(job, chunks)  # type: ignore[arg-type]

    with database.transaction() as connection:
        stored = documents.list_page(connection, job.index, after="", limit=10)
        counts = chunk_queries.count_rows(connection, job.batch_id, [job.index.collection_id])
        assert missing(connection, job) == 0
        assert len(deleted) == 1
        assert sorted(each.payload["content"] for each in stored) == ["good:0", "good:2"]
        assert counts == {"rows": 2, "written": 2, "skipped": 0, "failed": 0}
        assert scalar(connection, "SELECT count(*) FROM document_removals WHERE document_id = %s", deleted) == 1
        assert queries.finish_batch(connection, job.batch_id, job.task_id, "COMPLETED", None, {})
        assert scalar(connection, "SELECT count(*) FROM document_removals WHERE document_id = %s", deleted) == 0
    later = ran_again(database, job)
    with database.transaction() as connection:
        assert documents.count(connection, later.index) == 3, "a later batch over the same objects makes it again"


def ran_again(database: Database, job: Job) -> Job:
    """Run another batch over what a batch ran over."""
    again = replace(job, batch_id=new_id("btch"))
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO batches (batch_id, namespace_id, type, bucket_ids, collection_ids, object_ids, snapshot,"
            " status, task_id) SELECT %s, namespace_id, type, bucket_ids, collection_ids, object_ids, snapshot,"
            " 'IN_PROGRESS', task_id FROM batches WHERE batch_id = %s",
            [again.batch_id, job.batch_id],
        )
        connection.execute("INSERT INTO batch_progress (batch_id) VALUES (%s)", [again.batch_id])
        watch(connection, again.batch_id)
        batch = queries.find_batch(connection, again.batch_id)
        assert batch is not None
        chunk_queries.plan_chunks(connection, batch, job.index.collection_id, 1, 3, batch.bucket_ids)
        chunks = chunk_queries.list_open_chunks(connection, again.batch_id, job.index.collection_id)
    ChunkRunner(database, PostgresDocuments(), TwinExecution([ALWAYS]), 1).run(again, chunks)  # type: ignore[arg-type]
    return again
