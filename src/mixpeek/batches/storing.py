"""Stores computed chunks: documents, vectors, row outcomes and the commit of a chunk are one transaction."""

from __future__ import annotations

import logging
import time

from mixpeek.batches import queries
from mixpeek.batches.building import find_newer, without_sources
from mixpeek.batches.halting import Halted
from mixpeek.batches.job import Job
from mixpeek.batches.outages import Outages
from mixpeek.batches.progress import Rate
from mixpeek.batches.slot import Computed
from mixpeek.db.pool import Database
from mixpeek.documents.port import DocumentStore, Sources
from mixpeek.workflows import tasks

log = logging.getLogger(__name__)


class Storing:
    """Stores the chunks of one job, one at a time."""

    def __init__(self, database: Database, documents: DocumentStore, job: Job, outages: Outages) -> None:
        self._database = database
        self._documents = documents
        self._job = job
        self._outages = outages
        self._rate = Rate(time.monotonic())

    def store(self, computed: Computed) -> None:
        """Store a chunk, however long the database is away; raise Halted if the batch is no longer this task's."""
        self._rate.note(len(computed.checked.documents) + len(computed.checked.outcomes), time.monotonic())
        self._outages.outlast(lambda: self._store(computed))

    def _store(self, computed: Computed) -> None:
        job = self._job
        with self._database.transaction() as connection:
            if not queries.is_running(connection, job.batch_id, job.task_id):
                raise Halted
            newer = find_newer(connection, job, computed.chunk)
            checked = without_sources(computed.checked, newer)
            counts = queries.commit_chunk(
                connection,
                computed.chunk,
                len(checked.documents),
                checked.outcomes,
                self._rate.rows_per_s,
            )
            if counts is None:
                log.warning("chunk %s of %s was committed before", computed.chunk.chunk, job.batch_id)
                return
            sources = Sources(
                [one for one in computed.chunk.object_ids if one not in newer],
                [one for one in computed.chunk.document_ids if one not in newer],
            )
            self._documents.keep_only(connection, job.index, computed.kept, sources)
            self._documents.upsert(connection, job.index, checked.documents)
            tasks.update_task(connection, job.task_id, "PROCESSING", progress={"progress": counts})
