"""Opens the store of documents that the settings name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mixpeek.db.pool import Connection, Database, scalar
from mixpeek.documents.addresses import QdrantAddress
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.documents.segments import Limits
from mixpeek.errors import SettingInvalid

if TYPE_CHECKING:
    from mixpeek.documents.qdrant.cluster import Cluster

_TIMEOUT_S = 30


@dataclass(frozen=True)
class Documents:
    """A store of documents, and what is to be done now and then for it; `sweep` returns how much it did."""

    store: PostgresDocuments
    sweep: Callable[[], int] | None = None


def open_documents(url: str | None, api_key: str | None, database: Database) -> Documents:
    """Return the store that a URL names, None for the database alone; nothing is asked of it yet.

    Raises: SettingInvalid: the URL cannot be read, its client is not installed, or vectors lie elsewhere already.
    """
    with database.transaction() as connection:
        _check_place(connection, is_elsewhere=url is not None)
    if url is None:
        return Documents(PostgresDocuments())
    from mixpeek.documents.qdrant.sweeping import sweep
    from mixpeek.documents.qdrant.vectors import QdrantVectors

    cluster = _cluster_at(url, api_key)
    # Of its own: who waits for one of these holds one of the others.
    writes = Database(database.url, max_connections=2)
    writes.open()
    # The table that small collections share holds no vectors, so no collection outgrows it.
    store = PostgresDocuments(Limits(shared_rows=sys.maxsize), QdrantVectors(cluster, writes))
    return Documents(store, lambda: sweep(database, cluster))


def count_vectors(url: str, api_key: str | None) -> int:
    """Return how many vectors the cluster has that a URL names; raise SettingInvalid, ServiceUnavailable."""
    cluster = _cluster_at(url, api_key)
    try:
        return cluster.count()
    finally:
        cluster.close()


def _cluster_at(url: str, api_key: str | None) -> Cluster:
    address = QdrantAddress.from_url(url)
    try:
        from qdrant_client import QdrantClient
    except ImportError as error:
        raise SettingInvalid(
            "MIXPEEK_DOCUMENTS_URL names a Qdrant cluster, and its client is not installed",
            hint="pip install 'mixpeek[qdrant]'",
        ) from error
    from mixpeek.documents.qdrant.cluster import Cluster

    client = QdrantClient(
        host=address.host,
        port=address.port,
        https=address.is_tls,
        api_key=api_key,
        timeout=_TIMEOUT_S,
        check_compatibility=False,  # it would ask the cluster now
    )
    return Cluster(client, shards=address.shards, replicas=address.replicas)


def _check_place(connection: Connection, *, is_elsewhere: bool) -> None:
    """Refuse to begin where vectors lie in the other place: searches would find none of them."""
    here = "SELECT EXISTS (SELECT FROM document_vectors) OR EXISTS (SELECT FROM large_indexes)"
    there = "SELECT EXISTS (SELECT FROM vector_points)"
    if scalar(connection, here if is_elsewhere else there):
        was, now = ("the database", "a Qdrant cluster") if is_elsewhere else ("a Qdrant cluster", "the database")
        raise SettingInvalid(
            f"The vectors of this platform's documents lie in {was}, and MIXPEEK_DOCUMENTS_URL says {now}",
            hint="Set it back, or begin with an empty database and run the batches again",
        )
