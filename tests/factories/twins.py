"""Batches of rows that say what becomes of them: twins of hosts that do it, and a model that tells it beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from mixpeek.batches import chunk_queries, outcome_queries, progress_queries, queries
from mixpeek.batches.deletions import watch
from mixpeek.batches.job import Job
from mixpeek.batches.rows import Recipe
from mixpeek.batches.runner import ChunkRunner
from mixpeek.contract.manifest import Manifest
from mixpeek.contract.pipeline import RowCondition
from mixpeek.db.pool import Connection, Database, dict_rows, new_id
from mixpeek.documents.port import Index
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


class TwinExecution:
    """Starts twins whose pipeline has these steps."""

    def __init__(self, steps: Sequence[Step], make: Callable[[], TwinHost] = TwinHost) -> None:
        self._steps = tuple(steps)
        self._make = make

    def begin_start_built(self, *_: Any, **__: Any) -> Future[tuple[TwinHost, tuple[Step, ...]]]:
        started: Future[tuple[TwinHost, tuple[Step, ...]]] = Future()
        started.set_result((self._make(), self._steps))
        return started


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


ALWAYS = Step(0, "step", "cpu", RowCondition.ALWAYS, True)

KINDS = st.sampled_from([*["good"] * 10, "slow", *REPORTED])

MIME_TYPES = st.sampled_from(["text/plain", "image/png", "video/mp4"])

STEPS = st.lists(st.tuples(st.sampled_from(list(RowCondition)), st.booleans()), min_size=1, max_size=3)


def forgivable(rows: list[tuple[str, str]], most: int = 2) -> list[tuple[str, str]]:
    """Return rows of which no more hang or end their host than so small a batch is forgiven."""
    costly = [at for at, (kind, _) in enumerate(rows) if kind in ("hang", "slow", "crash")]
    return [
        ("good", mime_type) if at in costly[most:] else (kind, mime_type) for at, (kind, mime_type) in enumerate(rows)
    ]


ANY_ROWS = st.lists(st.tuples(KINDS, MIME_TYPES), min_size=1, max_size=60)

ROWS = ANY_ROWS.map(forgivable)


def assert_like_model(
    database: Database, job: Job, rows: Sequence[tuple[str, str]], steps: Sequence[Step] = (ALWAYS,)
) -> None:
    """Check that every chunk is committed, and each row stored or told of once, as the model has it."""
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
    assert counts["chunks"] == counts["chunks_committed"] > 0


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


def ran(
    database: Database,
    namespace_id: str,
    rows: Sequence[tuple[str, str]],
    size: int = 3,
    hosts: int = 1,
    execution: TwinExecution | None = None,
) -> Job:
    """Run a batch of rows to its end, `size` to a chunk."""
    with database.transaction() as connection:
        job = prepare(connection, namespace_id, rows, size)
        chunks = chunk_queries.list_open_chunks(connection, job.batch_id, job.index.collection_id)
    runner = ChunkRunner(database, PostgresDocuments(), execution or TwinExecution([ALWAYS]), hosts)  # type: ignore[arg-type]
    runner.run(job, chunks)
    return job
