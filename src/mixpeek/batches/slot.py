"""One host of a pool and the chunks it takes: started when needed, replaced when it dies."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mixpeek.batches.faults import BatchStopped, FaultBudget, cause_of
from mixpeek.batches.halting import Halt
from mixpeek.batches.isolation import Called, Settled, settle
from mixpeek.batches.job import Job, run_limit_s
from mixpeek.batches.models import Checked, Chunk, Outcome, Row
from mixpeek.batches.rows import split_by_steps, split_incomplete
from mixpeek.batches.sources import ChunkRows
from mixpeek.errors import HostLost, NoRoom, PluginError
from mixpeek.execution.blocking import BlockingExecution, BlockingHost
from mixpeek.execution.port import Isolation, Step

log = logging.getLogger(__name__)

# A host that does not start in the middle of a batch is tried again: the machine may be short of memory for a while.
START_ATTEMPTS = 3
_START_PAUSE_S = 1.0
# How soon a slot that waits for a host notices that the others have done all the work.
_LOOK_S = 0.2


class NotNeeded(Exception):
    """There is nothing left for this slot to do."""


@dataclass(frozen=True)
class RunningChunk:
    """What processors say of a chunk under way: so much of its rows is done by a step; no more than there are."""

    collection_id: str
    chunk: int
    step: str | None
    done: float
    rows: int


@dataclass(frozen=True)
class Computed:
    """A chunk that was run; `suspects` are rows that may hang, and are to be run alone before it can be stored."""

    chunk: Chunk
    all_ids: Sequence[str]
    checked: Checked
    suspects: Sequence[Row] = ()

    @property
    def kept(self) -> dict[str, int | None]:
        """Every row that the chunk's sources have, with the number of its parts where that is known."""
        return {identifier: self.checked.parts.get(identifier) for identifier in self.all_ids}


class Slot:
    """Used from one thread, but for `close`, which may be called from any and ends the call under way.

    Args:
        wait: sleeps before rows are tried again that a network failed; by default until the run is halted.
    """

    def __init__(
        self,
        execution: BlockingExecution,
        job: Job,
        budget: FaultBudget,
        halt: Halt,
        wait: Callable[[float], None] | None = None,
    ) -> None:
        self._execution = execution
        self._job = job
        self._budget = budget
        self._halt = halt
        self._wait = wait or halt.wait
        self._host: BlockingHost | None = None
        self._was_started = False
        self._steps: Sequence[Step] = ()
        self._slowest_s: float | None = None
        self._is_warm = False
        self._chunk: int | None = None
        self._chunk_rows = 0
        halt.on_throw(self.close)

    def compute(self, chunk: Chunk, found: ChunkRows) -> Computed:
        """Run a chunk's rows.

        Raises: HostLost: the machine is gone, and the chunk may be run by any slot: nothing of it is stored.
            BatchStopped. Halted.
        """
        self.ready_host()
        self._chunk, self._chunk_rows = chunk.chunk, len(found.rows)
        complete, incomplete = split_incomplete(found.rows, self._job.recipe)
        taken, skipped = split_by_steps(complete, self._steps)
        settled = settle(taken, self._call, self._budget, self._wait)
        checked = self._check(settled) + Checked([], incomplete + skipped)
        return Computed(chunk, found.all_ids, checked, tuple(settled.suspects))

    @property
    def running(self) -> RunningChunk | None:
        """The chunk under way as its processors tell of it, None where they do not; may be asked from any thread."""
        host, chunk, rows = self._host, self._chunk, self._chunk_rows
        reported = None if host is None else host.reported
        if reported is None or reported.chunk != chunk:
            return None
        return RunningChunk(
            self._job.index.collection_id, reported.chunk, reported.step, min(reported.done, rows), rows
        )

    def clear_up(self, computed: Computed) -> Computed:
        """Run the suspects of a chunk, one by one, each with all the time a call may take."""
        checked = computed.checked
        self._chunk, self._chunk_rows = computed.chunk.chunk, len(computed.suspects)
        for suspect in computed.suspects:
            checked += self._check(self._settle_alone(suspect, computed.chunk))
        return Computed(computed.chunk, computed.all_ids, checked)

    def _settle_alone(self, suspect: Row, chunk: Chunk) -> Settled:
        while True:
            try:
                return settle([suspect], self._call, self._budget, self._wait, alone=True)
            except HostLost as error:
                self.note_lost(chunk, error)

    def note_lost(self, chunk: Chunk, error: HostLost) -> None:
        """Note that the machine is gone; raise BatchStopped where that happened too often under this chunk."""
        self._halt.check()  # then the host was closed on purpose
        log.warning("batch %s runs chunk %d again: %s", self._job.batch_id, chunk.chunk, error.message)
        self._budget.note_lost(chunk.chunk, error)

    def ready_host(self, is_needed: Callable[[], bool] = lambda: True) -> BlockingHost:
        """Return the host with its pipeline built, starting one where there is none.

        Args: is_needed: whether there is anything left for it to do, asked while it waits for its place.
        Raises: PluginError: the first one cannot be started at all. BatchStopped: a further one cannot. Halted.
            NotNeeded: the others have taken everything while it waited.
        """
        attempt = 0
        while True:
            self._halt.check()
            if self._host is not None and self._host.alive:
                return self._host
            if not is_needed():
                raise NotNeeded
            attempt += 1
            try:
                self._host, self._steps = self._start(is_needed)
            except (NoRoom, HostLost) as error:
                # No fault of the plugin's: a machine will have room, or take the lost one's place.
                log.warning("batch %s waits for a host: %s", self._job.batch_id, error.message)
                self._halt.wait(_START_PAUSE_S)
            except PluginError as error:
                if not self._was_started:
                    raise
                if attempt == START_ATTEMPTS:
                    raise BatchStopped(f"A host that worked before can no longer be started: {error.named}") from error
                self._halt.wait(_START_PAUSE_S * attempt)
            else:
                self._was_started, self._is_warm = True, False
                if self._halt.is_thrown:  # while it started
                    self.close()

    def _start(self, is_needed: Callable[[], bool]) -> tuple[BlockingHost, tuple[Step, ...]]:
        starting = self._execution.begin_start_built(
            self._job.spec, self._job.parameters, version=self._job.manifest.version
        )
        try:
            while True:
                try:
                    return starting.result(timeout=_LOOK_S)
                except TimeoutError:
                    if starting.done():  # it is how the start failed
                        raise
                    self._halt.check()
                    if not is_needed():
                        raise NotNeeded from None
        except BaseException:
            if not starting.cancel() and starting.exception() is None:
                starting.result()[0].close()  # it came up in the very moment it was given up
            raise

    def close(self) -> None:
        """End the host."""
        if self._host is not None:
            self._host.close()

    def _call(self, rows: Sequence[Row], *, alone: bool) -> Called:
        from mixpeek.batches.tables import table_from_rows  # Arrow: 50 MB that an idle worker does without

        host, job = self.ready_host(), self._job
        began = time.monotonic()
        try:
            ran = host.run_isolated(
                table_from_rows(rows),
                Isolation(job.batch_rows, job.call_s, alone, job.manifest.explodes, self._chunk),
                timeout_s=run_limit_s(job, len(rows), self._steps, None if alone else self._slowest_s),
            )
        except PluginError:
            self._halt.check()  # then it was closed on purpose
            raise
        self._note_pace(time.monotonic() - began, len(rows), is_clean=not ran.faults)
        if not ran.faults:
            return Called(ran.table, rows, ())
        failed = {fault.row for fault in ran.faults}
        return Called(ran.table, [row for place, row in enumerate(rows) if place not in failed], ran.faults)

    def _note_pace(self, seconds: float, rows: int, *, is_clean: bool) -> None:
        # A host's first call may load a model, and one with faults was cut up: neither tells of the others.
        if self._is_warm and is_clean:
            self._slowest_s = max(self._slowest_s or 0.0, seconds / -(-rows // self._job.batch_rows))
        self._is_warm = True

    def _check(self, settled: Settled) -> Checked:
        from mixpeek.batches.tables import check_output  # as above

        manifest, found = self._job.manifest, Checked([], [_failed(row, error) for row, error in settled.failed])
        for called in settled.called:
            if called.rows:
                checked = check_output(
                    called.table, called.rows, manifest.embeddings, self._job.batch_id, explodes=manifest.explodes
                )
                found += checked
                failed = [outcome for outcome in checked.outcomes if outcome.outcome == "failed"]
                if failed:
                    self._budget.note_failed(len(failed), failed[-1].message)
        return found


def _failed(row: Row, error: PluginError) -> Outcome:
    details = {"frames": error.details.get("frames") or [], "step": error.details.get("step")}
    return Outcome(row, "failed", cause_of(error), error.message, details)
