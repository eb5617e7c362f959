"""Runs the chunks of a batch: a few hosts compute side by side, two threads store what they made.

A row suspected to hang is run by a host of its own, so that no other row waits for it; its chunk is stored after that.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import psycopg

from mixpeek.batches import chunk_queries, progress_queries, queries
from mixpeek.batches.faults import FaultBudget
from mixpeek.batches.halting import Halt, Halted
from mixpeek.batches.job import Job, hosts_for
from mixpeek.batches.models import Chunk
from mixpeek.batches.outages import Outages
from mixpeek.batches.slot import Computed, RunningChunk, Slot
from mixpeek.batches.sources import ChunkRows, rows_of_chunk
from mixpeek.batches.storing import Storing
from mixpeek.db.pool import Database
from mixpeek.documents.port import DocumentStore
from mixpeek.execution.blocking import BlockingExecution

# One builds rows for the database while the other waits for it.
STORING = 2
# How long a cancelled batch may go on unnoticed.
WATCH_S = 0.3


class ChunkRunner:
    """Computes and stores chunks until none is open."""

    def __init__(
        self,
        database: Database,
        documents: DocumentStore,
        execution: BlockingExecution,
        hosts: int,
        failed_share: float = 1.0,
    ) -> None:
        self._database = database
        self.documents = documents
        self._execution = execution
        self.hosts = hosts
        self._failed_share = failed_share

    def run(self, job: Job, chunks: Sequence[int]) -> None:
        """Compute the chunks of these numbers and store each as it is done.

        Raises: Halted: the batch was cancelled. PluginError: a host cannot be started or its pipeline not be built at
            all. BatchStopped: too many rows failed, or hung.
        """
        run = _Run(self._database, self.documents, self._execution, job, FaultBudget(self._failed_share))
        run.carry_out(chunks, min(hosts_for(job, self.hosts), len(chunks)))


class _Run:
    """One job's chunks on their way: to be computed, to be cleared of suspects, to be stored."""

    def __init__(
        self,
        database: Database,
        documents: DocumentStore,
        execution: BlockingExecution,
        job: Job,
        budget: FaultBudget,
    ) -> None:
        self._database = database
        self._documents = documents
        self._execution = execution
        self._job = job
        self._budget = budget
        self._halt = Halt()
        self._outages = Outages(database, job.batch_id, self._halt.wait)
        self._storing = Storing(database, documents, job, self._outages)
        self._todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._suspected: queue.SimpleQueue[Computed | None] = queue.SimpleQueue()
        self._is_over = threading.Event()
        self._slots: list[Slot] = []

    def carry_out(self, chunks: Sequence[int], hosts: int) -> None:
        for chunk in chunks:
            self._todo.put(chunk)
        computed: queue.Queue[Computed | None] = queue.Queue(maxsize=2 * hosts)
        with ThreadPoolExecutor(hosts + STORING + 2, thread_name_prefix="batch") as pool:
            watching = pool.submit(self._watch)
            storing = [pool.submit(self._guard, lambda: self._store_all(computed)) for _ in range(STORING)]
            clearing = pool.submit(self._guard, lambda: self._clear_up_all(computed))
            computing = [pool.submit(self._guard, lambda: self._compute_all(computed)) for _ in range(hosts)]
            for each in computing:
                each.result()
            self._suspected.put(None)
            clearing.result()
            for _ in storing:
                computed.put(None)
            for each in storing:
                each.result()
            self._is_over.set()
            watching.result()
        self._halt.raise_reason()

    def _guard(self, work: Callable[[], None]) -> None:
        """Do a thread's work; what it raises ends the run."""
        try:
            work()
        except Halted:
            self._halt.throw()
        except BaseException as error:
            self._halt.throw(error)

    def _compute_all(self, computed: queue.Queue[Computed | None]) -> None:
        slot = self._new_slot()
        try:
            slot.ready_host()
            # The next chunk is read while the host is busy with this one.
            with ThreadPoolExecutor(1, thread_name_prefix="batch-reading") as reading:
                ahead = reading.submit(self._read_next)
                while (found := ahead.result()) is not None:
                    ahead = reading.submit(self._read_next)
                    done = slot.compute(*found)
                    if done.suspects:
                        self._suspected.put(done)
                    else:
                        computed.put(done)
        finally:
            slot.close()

    def _new_slot(self) -> Slot:
        slot = Slot(self._execution, self._job, self._budget, self._halt)
        self._slots.append(slot)
        return slot

    def _read_next(self) -> tuple[Chunk, ChunkRows] | None:
        """Return the next chunk with its rows, None when all have been taken."""
        self._halt.check()
        try:
            return self._read(self._todo.get_nowait())
        except queue.Empty:
            return None

    def _read(self, number: int) -> tuple[Chunk, ChunkRows]:
        def read() -> tuple[Chunk, ChunkRows]:
            with self._database.transaction() as connection:
                chunk = chunk_queries.get_chunk(connection, self._job.batch_id, self._job.index.collection_id, number)
                return chunk, rows_of_chunk(connection, self._documents, chunk, self._job.recipe)

        return self._outages.outlast(read)

    def _clear_up_all(self, computed: queue.Queue[Computed | None]) -> None:
        slot: Slot | None = None
        try:
            while (suspected := self._suspected.get()) is not None:
                # Started by the first suspect: most batches have none.
                slot = slot or self._new_slot()
                computed.put(slot.clear_up(suspected))
        finally:
            if slot is not None:
                slot.close()

    def _store_all(self, computed: queue.Queue[Computed | None]) -> None:
        while (item := computed.get()) is not None:
            # After the end the queue is still emptied, so that no computing thread waits on it for ever.
            if self._halt.is_thrown:
                continue
            self._guard(lambda done=item: self._storing.store(done))  # type: ignore[misc]

    def _watch(self) -> None:
        """End the run once the batch is cancelled, or was taken over by another task; tell what processors report."""
        told: list[RunningChunk] | None = None
        while not self._is_over.wait(WATCH_S):
            if self._halt.is_thrown:
                continue
            running = [chunk for slot in tuple(self._slots) if (chunk := slot.running) is not None]
            try:
                with self._database.transaction() as connection:
                    if not queries.is_running(connection, self._job.batch_id, self._job.task_id):
                        self._halt.throw()
                    elif running != told:
                        progress_queries.set_running(connection, self._job.batch_id, [asdict(each) for each in running])
                        told = running
            except psycopg.OperationalError:
                continue  # the database is away: who stores waits for it
