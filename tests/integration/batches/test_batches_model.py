"""Whatever rows, conditions, chunk sizes and faults: what is stored and what is reported is what a model says.

The runner and its database are real; a twin stands in for the hosts, which does what rows tell it to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from factories.waiting import until
from mixpeek.batches import chunk_queries, outcome_queries, progress_queries, queries
from mixpeek.batches.deletions import watch
from mixpeek.batches.job import Job
from mixpeek.batches.rows import Recipe
from mixpeek.batches.runner import ChunkRunner
from mixpeek.contract.manifest import Manifest
from mixpeek.contract.pipeline import RowCondition
from mixpeek.db.pool import Connection, Database, dict_rows, new_id, scalar
from mixpeek.documents.port import Index, NewDocument, Sources
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.errors import PluginCrashed, PluginRaised, PluginTimedOut
from mixpeek.execution.port import HostSpec, Isolation, PartialRun, RowFault, Step

MANIFEST = Manifest.model_validate(
    {
        "feature_extractor_name": "twin",
        "version": "1.0.0",
        "features": [{"feature_name": "vec", "feature_type": "embedding", "embedding_dim": 2}],
        "compute_profile": {"batch_size": 4},
    }
)
VECTORS: dict[str, Any] = {"nan": [float("nan"), 0.0], "short": [1.0], "no vector": None}
# Of a row of this kind that some step takes: the outcome and cause it is reported with; others become documents.
REPORTED = {
    "raise": ("failed", "raised"),
    "hang": ("failed", "timed_out"),
    "crash": ("failed", "crashed"),
    "nan": ("failed", "not_finite"),
    "short": ("failed", "wrong_dimension"),
    "nul": ("failed", "unstorable_value"),
    "no vector": ("skipped", "no_embedding"),
}


class TwinHost:
    """A host that does what its rows say."""

    reported = None

    def __init__(self) -> None:
        self.alive = True

    def run_isolated(self, table: pa.Table, isolation: Isolation, **_: Any) -> PartialRun:
        kinds = [text.partition(":")[0] for text in table.column("data").to_pylist()]
        if "crash" in kinds:
            self.alive = False
            raise PluginCrashed("The plugin's host was killed by SIGSEGV")
        faults = []
        for row, kind in enumerate(kinds):
            if kind == "raise":
                faults.append(RowFault(row, PluginRaised("ValueError: no")))
            elif kind == "hang" or (kind == "slow" and not isolation.alone):
                faults.append(RowFault(row, PluginTimedOut("did not return", waited_s=1.0)))
        failed = {fault.row for fault in faults}
        good = [row for row in range(len(kinds)) if row not in failed]
        kept = table.select(["document_id", "data"]).take(pa.array(good, pa.int64()))
        vectors = pa.array([VECTORS.get(kinds[row], [float(row), 1.0]) for row in good], pa.list_(pa.float32()))
        notes = pa.array(["a\x00b" if kinds[row] == "nul" else kinds[row] for row in good], pa.string())
        return PartialRun(kept.append_column("vec", vectors).append_column("note", notes), tuple(faults))

    def close(self) -> None:
        self.alive = False


class ExplodingTwin(TwinHost):
    """A host that makes two parts of each row, the second of which cannot be stored where the row says so."""

    def __init__(self, *, is_repaired: bool) -> None:
        super().__init__()
        self._is_repaired = is_repaired

    def run_isolated(self, table: pa.Table, isolation: Isolation, **_: Any) -> PartialRun:
        twice = [row for row in range(table.num_rows) for _ in range(2)]
        parts = table.select(["document_id"]).take(pa.array(twice, pa.int64()))
        texts = table.column("data").to_pylist()
        bad = [at % 2 == 1 and texts[row].startswith("nul") and not self._is_repaired for at, row in enumerate(twice)]
        vectors = pa.array([[1.0, 2.0]] * len(twice), pa.list_(pa.float32()))
        notes = pa.array(["a\x00b" if each else "ok" for each in bad], pa.string())
        return PartialRun(parts.append_column("vec", vectors).append_column("note", notes), ())


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


class TwinExecution:
    """Starts twins whose pipeline has these steps."""

    def __init__(self, steps: Sequence[Step], make: Callable[[], TwinHost] = TwinHost) -> None:
        self._steps = tuple(steps)
        self._make = make

    def start_built(self, *_: Any, **__: Any) -> tuple[TwinHost, tuple[Step, ...]]:
        return self._make(), self._steps


@pytest.fixture(scope="module")
def namespace_id(database: Database) -> Iterator[str]:
    with database.transaction() as connection:
        organization_id = new_id("org")
        connection.execute(
            "INSERT INTO organizations (organization_id, name) VALUES (%s, %s)", [organization_id, organization_id]
        )
        made = new_id("ns")
        connection.execute(
            "INSERT INTO namespaces (namespace_id, organization_id, namespace_name) VALUES (%s, %s, %s)",
            [made, organization_id, made],
        )
    yield made


def prepare(connection: Connection, namespace_id: str, rows: Sequence[tuple[str, str]], size: int) -> Job:
    """Store objects, a collection and a planned batch of them."""
    bucket_id, collection_id, batch_id, task_id = (new_id(each) for each in ("bkt", "col", "btch", "task"))
    connection.execute(
        "INSERT INTO buckets (bucket_id, namespace_id, bucket_name, bucket_schema) VALUES (%s, %s, %s, '{}')",
        [bucket_id, namespace_id, bucket_id],
    )
    for place, (kind, mime_type) in enumerate(rows):
        blob = {"blob_id": f"blob_{place}", "property": "content", "type": "text", "data": f"{kind}:{place}"}
        connection.execute(
            "INSERT INTO objects (object_id, namespace_id, bucket_id, blobs) VALUES (%s, %s, %s, %s)",
            [f"{bucket_id}_{place}", namespace_id, bucket_id, Jsonb([{**blob, "details": {"mime_type": mime_type}}])],
        )
    connection.execute(
        "INSERT INTO collections (collection_id, namespace_id, collection_name, source, feature_extractor,"
        " output_schema) VALUES (%s, %s, %s, '{}', '{}', '{}')",
        [collection_id, namespace_id, collection_id],
    )
    connection.execute(
        "INSERT INTO collection_generations (collection_id, generation, plugin_namespace, plugin_id, code_hash,"
        " features) VALUES (%s, 1, %s, 'twin_1_0_0', 'h', '[]')",
        [collection_id, namespace_id],
    )
    queries.insert_batch(
        connection,
        {
            "batch_id": batch_id,
            "namespace_id": namespace_id,
            "type": "BUCKET",
            "bucket_ids": [bucket_id],
            "source_collection_ids": [],
            "source_filters": None,
            "collection_ids": [collection_id],
            "object_ids": None,
            "snapshot": queries.highest_sequence(connection, [bucket_id]),
            "status": "PENDING",
            "task_id": task_id,
        },
    )
    connection.execute(
        "INSERT INTO tasks (task_id, organization_id, namespace_id, workflow, task_type, status, inputs)"
        " SELECT %s, organization_id, namespace_id, 'run_batch', 'test', 'PENDING', '{}' FROM namespaces"
        " WHERE namespace_id = %s",
        [task_id, namespace_id],
    )
    watch(connection, batch_id)
    batch = queries.find_batch(connection, batch_id)
    assert batch is not None
    chunk_queries.plan_chunks(connection, batch, collection_id, 1, size, [bucket_id])
    progress_queries.recount(connection, batch_id)
    assert queries.begin_batch(connection, batch_id, task_id)
    recipe = Recipe(collection_id, "twin_1_0_0", namespace_id, (), [{"source_path": "content"}], False)
    spec = HostSpec(plugin_dir=None, name="twin")  # type: ignore[arg-type]
    return Job(task_id, batch_id, recipe, Index(collection_id, 1), MANIFEST, {}, spec)


def missing(connection: Connection, job: Job) -> int:
    return chunk_queries.count_missing(connection, job.batch_id, job.task_id, [job.index.collection_id])


KINDS = st.sampled_from([*["good"] * 10, "slow", *REPORTED])
MIME_TYPES = st.sampled_from(["text/plain", "image/png", "video/mp4"])
STEPS = st.lists(st.tuples(st.sampled_from(list(RowCondition)), st.booleans()), min_size=1, max_size=3)


def forgivable(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return rows of which no more hang or end their host than so small a batch is forgiven."""
    costly = [at for at, (kind, _) in enumerate(rows) if kind in ("hang", "slow", "crash")]
    return [("good", mime_type) if at in costly[2:] else (kind, mime_type) for at, (kind, mime_type) in enumerate(rows)]


ROWS = st.lists(st.tuples(KINDS, MIME_TYPES), min_size=1, max_size=60).map(forgivable)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.integers(1, 25), st.integers(1, 3), STEPS)
def test_what_is_stored_and_reported_is_the_models(
    database: Database,
    namespace_id: str,
    rows: list[tuple[str, str]],
    size: int,
    hosts: int,
    conditions: list[tuple[RowCondition, bool]],
) -> None:
    steps = [Step(at, "step", "cpu", condition, enabled) for at, (condition, enabled) in enumerate(conditions)]
    with database.transaction() as connection:
        job = prepare(connection, namespace_id, rows, size)
        chunks = chunk_queries.list_open_chunks(connection, job.batch_id, job.index.collection_id)
    runner = ChunkRunner(database, PostgresDocuments(), TwinExecution(steps), hosts)  # type: ignore[arg-type]

    runner.run(job, chunks)

    stored, reported = expected(rows, steps)
    with database.transaction() as connection:
        documents = dict_rows(
            connection,
            "SELECT d.payload, count(v.feature) AS vectors FROM documents d LEFT JOIN document_vectors v USING"
            " (collection_id, generation, document_id) WHERE d.collection_id = %s GROUP BY d.document_id, d.payload",
            [job.index.collection_id],
        )
        outcomes = outcome_queries.list_outcomes(connection, job.batch_id, 1000)
        counts = progress_queries.totals(connection, job.batch_id)
        assert chunk_queries.list_open_chunks(connection, job.batch_id, job.index.collection_id) == []
        assert missing(connection, job) == 0
    assert sorted(d["payload"]["content"] for d in documents) == sorted(stored)
    assert all(d["vectors"] == 1 for d in documents)
    assert sorted((o["outcome"], o["cause"]) for o in outcomes) == sorted(reported)
    assert (counts["rows"], counts["written"]) == (len(rows), len(stored))
    assert counts["skipped"] + counts["failed"] == len(reported)
    assert counts["chunks"] == counts["chunks_committed"] == len(chunks)


def expected(rows: Sequence[tuple[str, str]], steps: Sequence[Step]) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the texts that become documents, and (outcome, cause) of each other row."""
    stored, reported = [], []
    for place, (kind, mime_type) in enumerate(rows):
        if not any(step.enabled and RowCondition(step.condition).matches(mime_type) for step in steps):
            reported.append(("skipped", "no_matching_step"))
        elif kind in REPORTED:
            reported.append(REPORTED[kind])
        else:
            stored.append(f"{kind}:{place}")
    return stored, reported


def test_a_retry_of_a_row_with_several_parts_counts_each_part_once(database: Database, namespace_id: str) -> None:
    rows = [("nul" if place in (1, 6) else "good", "text/plain") for place in range(8)]
    with database.transaction() as connection:
        planned = prepare(connection, namespace_id, rows, 3)
    job = replace(planned, manifest=planned.manifest.model_copy(update={"explodes": True}))
    collection_ids = [job.index.collection_id]

    def run(*, is_repaired: bool) -> dict[str, int]:
        twins = TwinExecution(
            [Step(0, "step", "cpu", RowCondition.ALWAYS, True)], partial(ExplodingTwin, is_repaired=is_repaired)
        )
        with database.transaction() as connection:
            chunks = chunk_queries.list_open_chunks(connection, job.batch_id, job.index.collection_id)
        ChunkRunner(database, PostgresDocuments(), twins, 1).run(job, chunks)  # type: ignore[arg-type]
        with database.transaction() as connection:
            counts = chunk_queries.count_rows(connection, job.batch_id, collection_ids)
            totals = progress_queries.totals(connection, job.batch_id)
            assert counts == {name: totals[name] for name in counts}
            assert missing(connection, job) == 0
            return counts

    first = run(is_repaired=False)
    with database.transaction() as connection:
        again = chunk_queries.plan_retries(connection, job.batch_id, collection_ids, None, 3)
        progress_queries.recount(connection, job.batch_id)
    second = run(is_repaired=True)

    assert first == {"rows": 16, "written": 14, "skipped": 0, "failed": 2}
    assert again == 2
    assert second == {"rows": 16, "written": 16, "skipped": 0, "failed": 0}
    with database.transaction() as connection:
        assert outcome_queries.count_causes(connection, job.batch_id) == {}
        assert chunk_queries.plan_retries(connection, job.batch_id, collection_ids, None, 3) == 0


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


ALWAYS = Step(0, "step", "cpu", RowCondition.ALWAYS, True)


def ran(database: Database, namespace_id: str, rows: list[tuple[str, str]], size: int = 3) -> Job:
    """Run a batch of rows."""
    with database.transaction() as connection:
        job = prepare(connection, namespace_id, rows, size)
        chunks = chunk_queries.list_open_chunks(connection, job.batch_id, job.index.collection_id)
    ChunkRunner(database, PostgresDocuments(), TwinExecution([ALWAYS]), 1).run(job, chunks)  # type: ignore[arg-type]
    return job


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
