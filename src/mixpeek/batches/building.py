"""What a batch that builds a generation leaves alone: sources that another batch has written there meanwhile.

A batch over new or changed objects writes to every generation that is kept. What it wrote is newer than what a build
read before, however much later the build comes to store it.
"""

from __future__ import annotations

from mixpeek.batches import mirror_queries
from mixpeek.batches.job import Job
from mixpeek.batches.models import Chunk
from mixpeek.db.pool import Connection


def find_newer(connection: Connection, job: Job, chunk: Chunk) -> set[str]:
    """Return the sources of a chunk that another batch has written in the generation that the job builds."""
    if not job.yields:
        return set()
    ids = chunk.document_ids or chunk.object_ids
    of = "document" if chunk.document_ids else "object"
    place = (job.index.collection_id, job.index.generation)
    return mirror_queries.written_by_others(connection, *place, job.batch_id, source_ids=ids, of=of)
