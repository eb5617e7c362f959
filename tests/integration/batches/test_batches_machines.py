"""Whatever machines are lost or added while a batch runs: every row is stored once, as the model has it."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Container
from concurrent.futures import Future
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories.twins import (
    ALWAYS,
    ANY_ROWS,
    TwinExecution,
    TwinHost,
    assert_like_model,
    forgivable,
    prepare,
    ran,
)
from mixpeek.batches import chunk_queries, runner
from mixpeek.batches.faults import BatchStopped
from mixpeek.batches.runner import ChunkRunner
from mixpeek.db.pool import Database
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.errors import HostLost
from mixpeek.execution.port import Isolation, PartialRun, Step
from mixpeek.logging import request_id

# A chunk that is run again costs again what its rows cost.
ROWS_AND_LOSSES = st.one_of(
    st.tuples(ANY_ROWS.map(partial(forgivable, most=1)), st.sets(st.integers(0, 12), max_size=1)),
    st.tuples(ANY_ROWS.map(partial(forgivable, most=0)), st.sets(st.integers(0, 12), max_size=4)),
)


ENOUGH = 1000


class Machines:
    """Starts hosts on as many machines; some are lost under a host's call, for good, and who then asks for one waits.

    Args: losses: the numbers of the calls, of all hosts together, under which the machine is lost.
    """

    def __init__(self, count: int, losses: Container[int]) -> None:
        self._free = count
        self._losses = losses
        self._calls = itertools.count()
        self._waiting: list[Future[tuple[TwinHost, tuple[Step, ...]]]] = []
        self._one_at_a_time = threading.Lock()

    def begin_start_built(self, *_: Any, **__: Any) -> Future[tuple[TwinHost, tuple[Step, ...]]]:
        started: Future[tuple[TwinHost, tuple[Step, ...]]] = Future()
        with self._one_at_a_time:
            self._waiting.append(started)
            self._serve()
        return started

    def is_lost(self) -> bool:
        """Tell whether the next call loses its machine."""
        return next(self._calls) in self._losses

    def give_back(self) -> None:
        """Have room for another host where one was closed."""
        with self._one_at_a_time:
            self._free += 1
            self._serve()

    def _serve(self) -> None:
        while self._free > 0 and self._waiting:
            started = self._waiting.pop(0)
            if started.set_running_or_notify_cancel():
                self._free -= 1
                started.set_result((LosableTwin(self), (ALWAYS,)))


class LosableTwin(TwinHost):
    """A host on one of the machines."""

    def __init__(self, machines: Machines) -> None:
        super().__init__()
        self._machines = machines

    def run_isolated(self, table: pa.Table, isolation: Isolation, **more: Any) -> PartialRun:
        if self._machines.is_lost():
            self.alive = False
            raise HostLost("The machine of the plugin's host was lost")
        return super().run_isolated(table, isolation, **more)

    def close(self) -> None:
        if self.alive:
            self._machines.give_back()
        super().close()


class LostAtTheEnd(Machines):
    """Loses the machine of the second call once the other host has found nothing left to do."""

    def __init__(self) -> None:
        super().__init__(ENOUGH, ())
        self._other_ended = threading.Event()

    def is_lost(self) -> bool:
        return next(self._calls) == 1 and self._other_ended.wait(30)

    def give_back(self) -> None:
        super().give_back()
        self._other_ended.set()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS_AND_LOSSES, st.integers(1, 25), st.integers(1, 3))
def test_whatever_machines_are_lost_every_row_is_stored_once(
    database: Database, namespace_id: str, case: tuple[list[tuple[str, str]], set[int]], size: int, hosts: int
) -> None:
    rows, losses = case
    job = ran(database, namespace_id, rows, size, hosts, Machines(ENOUGH, losses))

    assert_like_model(database, job, rows)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 40), st.integers(1, 6), st.integers(2, 3), st.sets(st.integers(0, 12), min_size=1, max_size=1))
def test_what_a_lost_machine_had_is_done_by_the_others_where_none_takes_its_place(
    database: Database, namespace_id: str, count: int, size: int, hosts: int, losses: set[int]
) -> None:
    rows = [("good", "text/plain")] * count

    job = ran(database, namespace_id, rows, size, hosts, Machines(hosts, losses))

    assert_like_model(database, job, rows)


def test_what_the_last_one_at_work_loses_it_runs_again_itself(database: Database, namespace_id: str) -> None:
    rows = [("good", "text/plain")] * 2

    job = ran(database, namespace_id, rows, 1, 2, LostAtTheEnd())

    assert_like_model(database, job, rows)


def test_a_batch_takes_more_hosts_once_there_are_more(
    database: Database, namespace_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "MEASURE_S", 0.0)
    counts, together = itertools.chain([1, 1], itertools.repeat(2)), threading.Barrier(2)

    class Waiting(TwinHost):
        """A host whose first call waits until both are in one."""

        is_first = True

        def run_isolated(self, table: pa.Table, isolation: Isolation, **more: Any) -> PartialRun:
            if self.is_first:
                together.wait(30)
                self.is_first = False
            return super().run_isolated(table, isolation, **more)

    rows = [("good", "text/plain")] * 9
    with database.transaction() as connection:
        job = prepare(connection, namespace_id, rows, 1)
        chunks = chunk_queries.list_open_chunks(connection, job.batch_id, job.index.collection_id)
    execution = TwinExecution([ALWAYS], Waiting)
    running = ChunkRunner(database, PostgresDocuments(), execution, 1, measure=lambda: next(counts))  # type: ignore[arg-type]
    running.run(job, chunks)

    assert_like_model(database, job, rows)


def test_rows_under_which_one_machine_after_another_is_lost_end_the_batch(
    database: Database, namespace_id: str
) -> None:
    with pytest.raises(BatchStopped, match=r"5 machines were lost under chunk 0"):
        ran(database, namespace_id, [("good", "text/plain")], 1, 1, Machines(ENOUGH, range(ENOUGH)))


def test_what_the_threads_of_a_batch_log_carries_the_id_of_the_request_that_asked_for_it(
    database: Database, namespace_id: str
) -> None:
    said: list[tuple[str, str]] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append((request_id.get(), record.getMessage()))

    listening, logger = Listening(), logging.getLogger("mixpeek.batches")
    token = request_id.set("req_asked")
    logger.addHandler(listening)
    try:
        ran(database, namespace_id, [("good", "text/plain")] * 3, 1, 2, Machines(ENOUGH, {0}))
    finally:
        logger.removeHandler(listening)
        request_id.reset(token)

    assert {request for request, _ in said} == {"req_asked"}
    assert any("again: " in message for _, message in said)
