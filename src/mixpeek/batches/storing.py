"""Stores computed chunks: documents, vectors, row outcomes and the commit of a chunk are one transaction."""

from __future__ import annotations

import logging
import threading
import time

from mixpeek.batches import chunk_queries, queries
from mixpeek.batches.building import find_newer
from mixpeek.batches.deletions import deleted_documents, deleted_sources, without, without_documents
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
    """Stores the chunks of one job, from several threads if need be."""

    def __init__(self, database: Database, documents: DocumentStore, job: Job, outages: Outages) -> None:
        self._database = database
        self._documents = documents
        self._job = job
        self._outages = outages
        self._rate = Rate(time.monotonic())
        self._rating = threading.Lock()
        # Before the first chunk is read.
        self._deletions = outages.outlast(self._count_deletions)

    def store(self, computed: Computed) -> None:
        """Store a chunk, however long the database is away; raise Halted if the batch is no longer this task's."""
        with self._rating:
            self._rate.note(len(computed.checked.documents) + len(computed.checked.outcomes), time.monotonic())
        self._outages.outlast(lambda: self._store(computed))

    def _store(self, computed: Computed) -> None:
        job, chunk, checked = self._job, computed.chunk, computed.checked
        with self._database.transaction() as connection:
            if not queries.is_running(connection, job.batch_id, job.task_id):
                raise Halted
            before = chunk_queries.claim_chunk(connection, chunk)
            if before is None:
                log.warning("chunk %s of %s was committed before", chunk.chunk, job.batch_id)
                return
            # What was deleted since the chunk was read must not come back as a document.
            deletions = self._documents.hold_off_deletions(connection, job.recipe.namespace_id)
            if deletions != self._deletions:
                checked = without(checked, deleted_sources(connection, chunk))
            if deletions:
                ids = [document.document_id for document in checked.documents]
                checked = without_documents(checked, deleted_documents(connection, job.index, job.batch_id, ids))
            newer = find_newer(connection, job, chunk)
            checked = without(checked, newer)
            sources = Sources(
                [one for one in chunk.object_ids if one not in newer],
                [one for one in chunk.document_ids if one not in newer],
            )
            self._documents.keep_only(connection, job.index, computed.kept, sources, job.batch_id)
            self._documents.upsert(connection, job.index, checked.documents)
            # The counts are every chunk's: taken last, they keep others waiting only for the end of the transaction.
            counts = chunk_queries.commit_chunk(
                connection, chunk, before, len(checked.documents), checked.outcomes, self._rate.rows_per_s, deletions
            )
            tasks.update_task(connection, job.task_id, "PROCESSING", progress={"progress": counts})

    def _count_deletions(self) -> int:
        with self._database.transaction() as connection:
            return self._documents.hold_off_deletions(connection, self._job.recipe.namespace_id)
