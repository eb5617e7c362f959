"""What documents ask of the store of their vectors: PostgreSQL beside them, or a Qdrant cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from mixpeek.documents import vector_rows, vector_search
from mixpeek.documents.known_layouts import KnownLayouts
from mixpeek.documents.port import Hit, Index, NewDocument, Premise
from mixpeek.documents.segments import Segment
from mixpeek.documents.vector_columns import Embedding

if TYPE_CHECKING:
    from mixpeek.db.pool import Connection
    from mixpeek.filters.model import Filter


class VectorStore(Protocol):
    """What is written or removed is so for others once the caller's transaction ends, and not before."""

    def write(self, connection: Connection, index: Index, segment: Segment, documents: Sequence[NewDocument]) -> None:
        """Write the vectors of documents that have none yet."""

    def remove(self, connection: Connection, index: Index, document_ids: Sequence[str]) -> None:
        """Remove the vectors of documents."""

    def read(
        self, connection: Connection, indexes: Sequence[Index], document_ids: Sequence[str]
    ) -> dict[str, dict[str, list[float]]]:
        """Return vectors by document and feature, as they were written."""

    def search(
        self,
        connection: Connection,
        indexes: Sequence[Index],
        embedding: Embedding,
        vector: Sequence[float],
        k: int,
        *,
        where: Filter | None = None,
        documents: bool = False,
        premise: Premise | None = None,
    ) -> list[Hit]:
        """See `DocumentStore.search`."""


class PostgresVectors:
    """Vectors by pgvector, in the same transaction: in the table that small collections share, or in segments."""

    def __init__(self) -> None:
        self._layouts = KnownLayouts()

    def write(self, connection: Connection, index: Index, segment: Segment, documents: Sequence[NewDocument]) -> None:
        vector_rows.write(connection, index, segment, documents)

    def remove(self, connection: Connection, index: Index, document_ids: Sequence[str]) -> None:
        vector_rows.remove(connection, index, document_ids)

    def read(
        self, connection: Connection, indexes: Sequence[Index], document_ids: Sequence[str]
    ) -> dict[str, dict[str, list[float]]]:
        return vector_rows.read(connection, indexes, document_ids)

    def search(
        self,
        connection: Connection,
        indexes: Sequence[Index],
        embedding: Embedding,
        vector: Sequence[float],
        k: int,
        *,
        where: Filter | None = None,
        documents: bool = False,
        premise: Premise | None = None,
    ) -> list[Hit]:
        """Scan fresh vectors exactly, and ask the indexes of the others; `vector` has the feature's dimension."""
        return vector_search.search(
            connection,
            self._layouts,
            indexes,
            embedding,
            vector,
            k,
            where=where,
            documents=documents,
            premise=premise,
        )
