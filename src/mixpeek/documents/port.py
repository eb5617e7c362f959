"""What the platform asks of a document store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mixpeek.db.pool import Connection

Metric = Literal["cosine", "dot", "euclidean"]


@dataclass(frozen=True)
class Index:
    """One generation of one collection: the unit that documents are written to and searched in."""

    collection_id: str
    generation: int


@dataclass(frozen=True)
class NewDocument:
    """A document to write; `vectors` holds one float32 array of shape (dim,) per feature."""

    document_id: str
    batch_id: str
    object_id: str
    payload: dict[str, Any]
    internal: dict[str, Any]
    vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    source_document_id: str | None = None  # the document of another collection that it was made of
    row_id: str | None = None  # of one of several parts: the id of the first, at position 0
    position: int = 0


@dataclass(frozen=True)
class Document:
    """A stored document; `vectors` is empty unless asked for."""

    document_id: str
    collection_id: str
    payload: dict[str, Any]
    internal: dict[str, Any]
    vectors: dict[str, list[float]] = field(default_factory=dict)

    def wire(self) -> dict[str, Any]:
        return {
            "document_id": self.document_id,
            "collection_id": self.collection_id,
            "document_blobs": [],
            **self.payload,
            **self.vectors,
            "_internal": self.internal,
        }


@dataclass(frozen=True)
class Hit:
    """A search result; `score` is higher the nearer: cosine and dot as they are, Euclidean as 1 / (1 + distance)."""

    document_id: str
    collection_id: str
    score: float


@dataclass(frozen=True)
class Sources:
    """What documents were made of: either objects, or documents of another collection."""

    object_ids: Sequence[str] = ()
    document_ids: Sequence[str] = ()


class DocumentStore(Protocol):
    """Writes join the caller's transaction, so that documents and the ledger of their batch agree."""

    def upsert(self, connection: Connection, index: Index, documents: Sequence[NewDocument]) -> None:
        """Write documents, replacing those of the same id; each id exists once afterwards."""

    def keep_only(self, connection: Connection, index: Index, kept: Mapping[str, int | None], sources: Sources) -> int:
        """Remove what earlier runs made of these sources and this one does not make any more; return how many.

        What other collections made of a removed document goes with it.

        Args:
            kept: the rows that the sources have now, by the id of their (first) document, with the number of parts
                of each; None keeps all there are.
        """

    def remove_made_of(self, connection: Connection, document_ids: Sequence[str]) -> int:
        """Remove what other collections made of these documents, and what was made of that; return how many."""

    def search(
        self,
        connection: Connection,
        indexes: Sequence[Index],
        feature: str,
        vector: Sequence[float],
        metric: Metric,
        k: int,
    ) -> list[Hit]:
        """Return the `k` nearest documents over all `indexes`, best first, ties by document id."""

    def fetch(
        self, connection: Connection, indexes: Sequence[Index], document_ids: Sequence[str], *, vectors: bool = False
    ) -> dict[str, Document]:
        """Return documents by id; absent ones are left out."""

    def list_page(
        self, connection: Connection, index: Index, *, after: str, limit: int, offset: int = 0, vectors: bool = False
    ) -> list[Document]:
        """Return up to `limit` documents with ids above `after`, in id order, leaving out the first `offset`."""

    def count(self, connection: Connection, index: Index) -> int:
        """Count the documents of an index."""
