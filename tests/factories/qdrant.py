"""A Qdrant to test with: its client's local mode, or the server that `MIXPEEK_TEST_QDRANT_URL` names."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from qdrant_client import QdrantClient

from mixpeek.db.pool import Database
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.documents.qdrant.cluster import Cluster
from mixpeek.documents.qdrant.vectors import QdrantVectors
from mixpeek.documents.segments import Limits


def client() -> QdrantClient:
    """Return a client; a server's spaces are shared with whatever else is there."""
    url = os.environ.get("MIXPEEK_TEST_QDRANT_URL")
    return QdrantClient(url=url) if url else QdrantClient(location=":memory:")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Yield a cluster."""
    running = Cluster(client())
    yield running
    running.close()


def documents_over(running: Cluster, database: Database) -> PostgresDocuments:
    """Return documents whose vectors lie in `running`."""
    return PostgresDocuments(Limits(shared_rows=sys.maxsize), QdrantVectors(running, database))
