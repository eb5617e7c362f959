"""Runs the chunks of a batch: a few hosts compute side by side, two threads store what they made.

A row suspected to hang is run by a host of its own, so that no other row waits for it; its chunk is stored after that.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from functools import partial

import psycopg

from mixpeek.batches import chunk_queries, progress_queries, queries
from mixpeek.batches.faults import FaultBudget
from mixpeek.batches.halting import Halt, Halted
from mixpeek.batches.job import Job
from mixpeek.batches.models import Chunk
from mixpeek.batches.outages import Outages
from mixpeek.batches.sharing import COMPUTING, WAITING, Share, Shares, Wish
from mixpeek.batches.slot import Computed, NotNeeded, RunningChunk, Slot
from mixpeek.batches.sources import ChunkRows, rows_of_chunk
from mixpeek.batches.storing import Storing
from mixpeek.db.pool import Database
from mixpeek.documents.port import DocumentStore
from mixpeek.errors import HostLost, MixpeekError
from mixpeek.execution.blocking import BlockingExecution
from mixpeek.logging import request_id

log = logging.getLogger(__name__)

# One builds rows for the database while the other waits for it.
STORING = 2
# How long a cancelled batch may go on unnoticed.
WATCH_S = 0.3
# How often it is asked how many hosts there are by now, where that changes.
MEASURE_S = 5.0


class ChunkRunner:
    """Computes and stores chunks until none is open.

    Args:
        hosts: how many its batches share.
        measure: returns how many that is by now, where it changes; asked while batches run, and may block.
        check_objects: raises ObjectStoreAway while the store that rows' assets lie in does not answer.
    """

    def __init__(
        self,
        database: Database,
        documents: DocumentStore,
        execution: BlockingExecution,
        hosts: int,
        failed_share: float = 1.0,
        check_objects: Callable[[], None] | None = None,
        *,
        measure: Callable[[], int] | None = None,
    ) -> None:
        self._database = database
        self.documents = documents
        self._execution = execution
        self._hosts = hosts
        self._measure = measure
        self._shares = Shares(hosts)
        self._failed_share = failed_share
        self._check_objects = check_objects

    def count_hosts(self) -> int:
        """Return how many hosts batches share by now."""
        if self._measure is not None:
            try:
                self._hosts = self._measure()
            except MixpeekError as error:  # the same number as before, until it can be asked
                log.warning("how many hosts batches may have could not be asked: %s", error.message)
            self._shares.resize(self._hosts)
        return self._hosts

    def run(self, job: Job, chunks: Sequence[int]) -> None:
        """Compute the chunks of these numbers and store each as it is done.

        Raises: Halted: the batch was cancelled. PluginError: a host cannot be started or its pipeline not be built at
            all. BatchStopped: too many rows failed, or hung.
        """
        self.count_hosts()
        # What is more than there is place for stands by: there may be more place while the batch runs.
        hosts = min(job.manifest.compute_profile.max_concurrency, len(chunks))
        weight = WAITING if job.spec.network else COMPUTING
        budget = FaultBudget(self._failed_share)
        with self._shares.joined(Wish(job.recipe.namespace_id, hosts, weight)) as share:
            run = _Run(self._database, self.documents, self._execution, job, budget, share, self._check_objects)
            run.carry_out(chunks, hosts, self.count_hosts)


class _Run:
    """One job's chunks on their way: to be computed, to be cleared of suspects, to be stored."""

    def __init__(
        self,
        database: Database,
        documents: DocumentStore,
        execution: BlockingExecution,
        job: Job,
        budget: FaultBudget,
        share: Share,
        check_objects: Callable[[], None] | None,
    ) -> None:
        self._database = database
        self._documents = documents
        self._share = share
        self._execution = execution
        self._job = job
        self._budget = budget
        self._check_objects = check_objects
        self._halt = Halt()
        self._outages = Outages(database, job.batch_id, self._halt.wait)
        self._storing = Storing(database, documents, job, self._outages)
        self._todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._suspected: queue.SimpleQueue[Computed | None] = queue.SimpleQueue()
        self._is_over = threading.Event()
        self._slots: list[Slot] = []

    def carry_out(self, chunks: Sequence[int], most_hosts: int, measure: Callable[[], object]) -> None:
        """Compute and store these chunks.

        Args: measure: called now and then; there may be more hosts, or fewer, afterwards.
        """
        for chunk in chunks:
            self._todo.put(chunk)
        # Each host has a chunk ready beside the one it computes: that is memory enough.
        computed: queue.Queue[Computed | None] = queue.Queue(maxsize=1)
        with _threads(most_hosts + STORING + 2, "batch") as pool:
            watching = pool.submit(self._watch)
            storing = [pool.submit(self._guard, lambda: self._store_all(computed)) for _ in range(STORING)]
            clearing = pool.submit(self._guard, lambda: self._clear_up_all(computed))
            self._compute_side_by_side(pool, computed, most_hosts, measure)
            self._suspected.put(None)
            clearing.result()
            for _ in storing:
                computed.put(None)
            for each in storing:
                each.result()
            self._is_over.set()
            watching.result()
        self._halt.raise_reason()

    def _compute_side_by_side(
        self,
        pool: ThreadPoolExecutor,
        computed: queue.Queue[Computed | None],
        most_hosts: int,
        measure: Callable[[], object],
    ) -> None:
        """Have as many hosts compute as the batch's share has, more when it grows; return once all are done."""
        computing: list[Future[None]] = []
        is_done, measured_at = False, time.monotonic()
        while not is_done:
            while len(computing) < min(self._share.hosts, most_hosts) and not (computing and self._todo.empty()):
                place = len(computing)
                self._share.begin(place)
                computing.append(pool.submit(self._guard, partial(self._compute_all, computed, place)))
            is_done = not wait(computing, timeout=WATCH_S).not_done
            if time.monotonic() - measured_at > MEASURE_S and not is_done:
                measure()
                measured_at = time.monotonic()

    def _guard(self, work: Callable[[], None]) -> None:
        """Do a thread's work; what it raises ends the run."""
        try:
            work()
        except Halted:
            self._halt.throw()
        except BaseException as error:
            self._halt.throw(error)

    def _compute_all(self, computed: queue.Queue[Computed | None], place: int) -> None:
        """Compute chunks with the host of this place, as long as there are any and the batch's share allows it."""
        slot = self._new_slot()
        try:
            with _threads(1, "batch-reading") as reading:
                while self._share.wait(place, self._is_done):
                    slot.ready_host(is_needed=lambda: not self._todo.empty())
                    self._compute_in_turn(slot, place, reading, computed)
                    if not self._share.allows(place):
                        slot.close()
        except NotNeeded:
            pass  # the other slots took every chunk before this one had a host, or another in place of a lost one
        finally:
            self._share.give_back(place)
            slot.close()

    def _compute_in_turn(
        self, slot: Slot, place: int, reading: ThreadPoolExecutor, computed: queue.Queue[Computed | None]
    ) -> None:
        # The next chunk is read while the host is busy with this one.
        ahead: Future[tuple[Chunk, ChunkRows] | None] | None = reading.submit(self._read_next)
        while ahead is not None and (found := ahead.result()) is not None:
            # Who has to stand aside takes no chunk along.
            ahead = reading.submit(self._read_next) if self._share.allows(place) else None
            try:
                self._compute(slot, found, computed)
            except HostLost as error:
                # Another machine may take long to come: whichever host is free takes what this one had.
                slot.note_lost(found[0], error)
                self._hand_back(found, None if ahead is None else ahead.result())
                return

    def _compute(self, slot: Slot, found: tuple[Chunk, ChunkRows], computed: queue.Queue[Computed | None]) -> None:
        done = slot.compute(*found)
        if done.suspects:
            self._suspected.put(done)
        else:
            computed.put(done)

    def _hand_back(self, *taken: tuple[Chunk, ChunkRows] | None) -> None:
        for each in taken:
            if each is not None:
                self._todo.put(each[0].chunk)

    def _is_done(self) -> bool:
        """Tell whether no chunk is left to be taken; raise Halted if none may be."""
        self._halt.check()
        return self._todo.empty()

    def _new_slot(self) -> Slot:
        slot = Slot(self._execution, self._job, self._budget, self._halt, self._wait_for_network)
        self._slots.append(slot)
        return slot

    def _wait_for_network(self, seconds: float) -> None:
        """Sleep before rows are tried again that a network failed; longer while it is our own store that is away."""
        self._halt.wait(seconds)
        if self._check_objects is not None:
            self._outages.outlast(self._check_objects)

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
            self._guard(partial(self._storing.store, item))
            del item  # megabytes, which it would hold while it waits for the next

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


def _threads(most: int, name: str) -> ThreadPoolExecutor:
    """Return threads whose log lines carry the id that those of this one do."""
    return ThreadPoolExecutor(most, name, initializer=request_id.set, initargs=(request_id.get(),))
