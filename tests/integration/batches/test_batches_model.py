"""Whatever rows, conditions, chunk sizes and faults: what is stored and what is reported is what a model says.

The runner and its database are real; a twin stands in for the hosts, which does what rows tell it to.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories.qdrant import client, documents_over
from factories.twins import (
    ALWAYS,
    ROWS,
    STEPS,
    TwinExecution,
    TwinHost,
    assert_like_model,
    missing,
    prepare,
    ran,
)
from mixpeek.batches import chunk_queries, outcome_queries, progress_queries
from mixpeek.batches.runner import ChunkRunner
from mixpeek.contract.pipeline import RowCondition
from mixpeek.db.pool import Database
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.documents.qdrant.cluster import Cluster
from mixpeek.documents.qdrant.errors import VectorStoreAway
from mixpeek.documents.qdrant.points import METRICS, Point, Space
from mixpeek.documents.qdrant.sweeping import sweep
from mixpeek.execution.port import Isolation, PartialRun, Step


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

    job = ran(database, namespace_id, rows, size, hosts, TwinExecution(steps))

    assert_like_model(database, job, rows, steps)


class LosingCluster(Cluster):
    """A Qdrant whose answer to the first few writes is lost, though it carried them out."""

    def __init__(self, losses: int) -> None:
        super().__init__(client())
        self.losses = losses
        self._one_at_a_time = threading.Lock()  # the client's local mode is for one thread

    def write(self, space: Space, points: Sequence[tuple[Point, Any]]) -> None:
        with self._one_at_a_time:
            super().write(space, points)
            if self.losses > 0:
                self.losses -= 1
                raise VectorStoreAway("the answer was lost")


def test_a_chunk_whose_vectors_are_in_qdrant_and_whose_commit_failed_is_stored_once(
    database: Database, namespace_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mixpeek.batches.outages.POLL_S", 0.01)
    cluster = LosingCluster(3)
    documents = documents_over(cluster, database)
    before = cluster.count()
    with database.transaction() as connection:
        job = prepare(connection, namespace_id, [("good", "text/plain")] * 20, 4)
        chunks = chunk_queries.list_open_chunks(connection, job.batch_id, job.index.collection_id)

    twins = TwinExecution([ALWAYS])
    ChunkRunner(database, documents, twins, 2).run(job, chunks)  # type: ignore[arg-type]

    with database.transaction() as connection:
        counts = progress_queries.totals(connection, job.batch_id)
        hits = documents.search(connection, [job.index], "vec", [1.0, 0.0], "dot", 100)
        assert missing(connection, job) == 0
    swept = sweep(database, cluster, timedelta(0))
    left = cluster.count() - before
    cluster.close()

    assert (counts["written"], counts["chunks_committed"]) == (20, 5)
    assert len({hit.document_id for hit in hits}) == len(hits) == 20
    assert "pauses (vector_store_away)" in caplog.text
    assert swept == 3
    assert left == 20 * len(METRICS)


def test_a_retry_of_a_row_with_several_parts_counts_each_part_once(database: Database, namespace_id: str) -> None:
    rows = [("nul" if place in (1, 6) else "good", "text/plain") for place in range(8)]
    with database.transaction() as connection:
        planned = prepare(connection, namespace_id, rows, 3)
    job = replace(planned, manifest=planned.manifest.model_copy(update={"explodes": True}))
    collection_ids = [job.index.collection_id]

    def run(*, is_repaired: bool) -> dict[str, int]:
        twins = TwinExecution([ALWAYS], partial(ExplodingTwin, is_repaired=is_repaired))
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
