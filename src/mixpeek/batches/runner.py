"""Runs the chunks of a batch: a few hosts compute side by side, one thread stores what they made.

A chunk's documents, vectors, row outcomes and its commit are one transaction, so a crash repeats nothing stored.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from mixpeek.batches import queries
from mixpeek.batches.models import Checked, Chunk, Outcome, Row
from mixpeek.batches.rows import Recipe, split_by_steps, split_incomplete
from mixpeek.batches.sources import read_rows
from mixpeek.contract.manifest import Manifest
from mixpeek.db.pool import Database
from mixpeek.documents.port import DocumentStore, Index, Sources
from mixpeek.errors import MixpeekError, PluginCrashed, PluginError, PluginTimedOut
from mixpeek.execution.blocking import BlockingExecution, BlockingHost
from mixpeek.execution.port import CALL_TIMEOUT_S, HostSpec, Step
from mixpeek.workflows import tasks

log = logging.getLogger(__name__)

# Calls of one chunk that may hang or kill their host before the chunk's remaining rows are given up on.
COSTLY_FAULTS = 16
# Rows tried one by one before a chunk that fails as a wholly lost one did is given up on as a whole.
SAMPLE_ROWS = 16


@dataclass(frozen=True)
class Job:
    """What running one collection's part of a batch needs."""

    task_id: str
    recipe: Recipe
    index: Index
    manifest: Manifest
    parameters: dict[str, Any]
    spec: HostSpec


@dataclass(frozen=True)
class Done:
    """A chunk that has been computed and waits to be stored."""

    chunk: Chunk
    kept: dict[str, int | None]  # every row of it, with the number of its parts where that is known
    checked: Checked


@dataclass
class _Slot:
    """One host and the chunks it takes; the host is replaced when it dies."""

    runner: ChunkRunner
    job: Job
    batch_id: str
    host: BlockingHost | None = None
    steps: Sequence[Step] = ()
    costly_faults: int = 0
    known_causes: set[str] = field(default_factory=set)

    def compute(self, chunk: Chunk) -> Done:
        with self.runner.database.transaction() as connection:
            rows = read_rows(connection, self.runner.documents, chunk, self.job.recipe)
        complete, incomplete = split_incomplete(rows, self.job.recipe)
        taken, skipped = split_by_steps(complete, self.steps)
        self.costly_faults = 0
        checked = self._run(taken) if taken else Checked([], [])
        if taken and not checked.documents:
            # Nothing of this chunk could be stored: the same fault need not be bisected in the next one.
            self.known_causes = {outcome.message for outcome in checked.outcomes}
        kept = {row.document_id: checked.parts.get(row.document_id) for row in rows}
        return Done(chunk, kept, checked + Checked([], incomplete + skipped))

    def _run(self, rows: list[Row]) -> Checked:
        """Run rows in one call; where it fails, halve until the rows at fault stand alone."""
        from mixpeek.batches.tables import check_output  # Arrow: 50 MB that an idle worker does without

        try:
            table = self._call(rows)
        except PluginError as error:
            if len(rows) == 1 or self._is_hopeless(rows, error):
                return Checked([], [_failed_row(row, error) for row in rows])
            middle = len(rows) // 2
            return self._run(rows[:middle]) + self._run(rows[middle:])
        manifest = self.job.manifest
        return check_output(table, rows, manifest.embeddings, self.batch_id, explodes=manifest.explodes)

    def _is_hopeless(self, rows: list[Row], error: PluginError) -> bool:
        """Tell whether halving on would only repeat what is known: all of these rows fail."""
        known = error.message in self.known_causes
        if isinstance(error, PluginTimedOut | PluginCrashed):
            self.costly_faults += 1
            return known or self.costly_faults > COSTLY_FAULTS
        return known and len(rows) > SAMPLE_ROWS and not self._any_works(rows[:: len(rows) // SAMPLE_ROWS])

    def _any_works(self, sample: list[Row]) -> bool:
        for row in sample:
            try:
                self._call([row])
            except PluginError:
                continue
            return True
        return False

    def _call(self, rows: list[Row]) -> Any:
        from mixpeek.batches.tables import table_from_rows  # as above

        profile = self.job.manifest.compute_profile
        calls = math.ceil(len(rows) / profile.batch_size)
        limit = (profile.timeout_s or CALL_TIMEOUT_S) * calls
        explodes = self.job.manifest.explodes
        host = self.ready_host()
        return host.run(table_from_rows(rows), batch_rows=profile.batch_size, explodes=explodes, timeout_s=limit)

    def ready_host(self) -> BlockingHost:
        """Return a living host with the pipeline built, starting one where there is none."""
        if self.host is not None and self.host.alive:
            return self.host
        self.host, self.steps = self.runner.execution.start_built(
            self.job.spec, self.job.parameters, version=self.job.manifest.version
        )
        return self.host

    def close(self) -> None:
        if self.host is not None:
            self.host.close()


class ChunkRunner:
    """Computes and stores chunks until none is open."""

    def __init__(self, database: Database, documents: DocumentStore, execution: BlockingExecution, hosts: int) -> None:
        self.database = database
        self.execution = execution
        self.documents = documents
        self.hosts = hosts

    def run(self, job: Job, batch_id: str, chunks: list[Chunk]) -> None:
        """Compute `chunks` on up to `hosts` hosts and store each as it is done.

        Raises: PluginError: a host cannot be started or its pipeline not be built at all.
        """
        todo: queue.SimpleQueue[Chunk] = queue.SimpleQueue()
        for chunk in chunks:
            todo.put(chunk)
        done: queue.Queue[Done | None] = queue.Queue(maxsize=self.hosts * 2)
        abandoned = threading.Event()
        count = min(self.hosts, len(chunks))
        with ThreadPoolExecutor(count + 1, thread_name_prefix="batch") as pool:
            storing = pool.submit(self._store_all, job, done, abandoned)
            slots = [pool.submit(self._compute_all, job, batch_id, todo, done, abandoned) for _ in range(count)]
            _wait_for(slots)
            done.put(None)
            storing.result()
            for slot in slots:
                slot.result()

    def _compute_all(
        self,
        job: Job,
        batch_id: str,
        todo: queue.SimpleQueue[Chunk],
        done: queue.Queue[Done | None],
        abandoned: threading.Event,
    ) -> None:
        slot = _Slot(self, job, batch_id)
        try:
            slot.ready_host()
            while not abandoned.is_set():
                try:
                    chunk = todo.get_nowait()
                except queue.Empty:
                    return
                done.put(slot.compute(chunk))
        except BaseException:
            abandoned.set()
            raise
        finally:
            slot.close()

    def _store_all(self, job: Job, done: queue.Queue[Done | None], abandoned: threading.Event) -> None:
        failure: BaseException | None = None
        while (item := done.get()) is not None:
            # After a failure the queue is still emptied, so that no computing thread waits on it for ever.
            if failure is None:
                try:
                    self._store(job, item)
                except Exception as error:
                    abandoned.set()
                    failure = error
        if failure is not None:
            raise failure

    def _store(self, job: Job, item: Done) -> None:
        with self.database.transaction() as connection:
            chunk, documents, outcomes = item.chunk, item.checked.documents, item.checked.outcomes
            # Each part of an exploded row counts as a row: only now is it known how many there are.
            if not queries.commit_chunk(connection, chunk, len(documents) + len(outcomes), len(documents), outcomes):
                log.warning("chunk %s of %s was committed before", chunk.chunk, chunk.batch_id)
                return
            self.documents.keep_only(connection, job.index, item.kept, Sources(chunk.object_ids, chunk.document_ids))
            self.documents.upsert(connection, job.index, documents)
            counts = queries.totals(connection, item.chunk.batch_id)
            tasks.update_task(connection, job.task_id, "PROCESSING", progress={"progress": counts})


def _failed_row(row: Row, error: MixpeekError) -> Outcome:
    details = {"frames": error.details.get("frames") or [], "step": error.details.get("step")}
    return Outcome(row, "failed", error.code.removeprefix("plugin."), error.message, details)


def _wait_for(slots: list[Future[None]]) -> None:
    for slot in slots:
        slot.exception()
