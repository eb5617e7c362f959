"""What the platform asks of a document store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from mixpeek.db.listing import Found
    from mixpeek.db.pool import Connection
    from mixpeek.documents.schemas import Aggregate
    from mixpeek.filters.model import Filter
    from mixpeek.filters.query import Position, Query

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
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def wire(self) -> dict[str, Any]:
        moments = {"created_at": self.created_at, "updated_at": self.updated_at}
        return {
            "document_id": self.document_id,
            "collection_id": self.collection_id,
            "document_blobs": self.internal.get("document_blobs", []),
            **self.payload,
            **self.vectors,
            "_internal": {**self.internal, **{name: at.isoformat() for name, at in moments.items() if at}},
        }


@dataclass(frozen=True)
class Group:
    """Documents that hold the same value in a field: the first of them, and how many there are."""

    value: Any
    count: int
    documents: list[Document]


@dataclass(frozen=True)
class Groups:
    """A page of groups, in the order of their values; `after` is where the next one starts."""

    groups: list[Group]
    after: Position | None


@dataclass(frozen=True)
class Stats:
    """Counts over everything that a query lists; `total_groups` is None where nothing is grouped."""

    total_documents: int
    avg_blobs_per_document: float
    total_groups: int | None


@dataclass(frozen=True)
class Hit:
    """A search result; `score` is higher the nearer: as it is, but for Euclidean: 1 / (1 + distance).

    `document`, without its vectors, is there where it was asked for and was at hand.
    """

    document_id: str
    collection_id: str
    score: float
    document: Document | None = None


@dataclass(frozen=True)
class Sources:
    """What documents were made of: either objects, or documents of another collection."""

    object_ids: Sequence[str] = ()
    document_ids: Sequence[str] = ()


@dataclass(frozen=True)
class Premise:
    """What a search takes for granted, as a condition in SQL: where it holds no more, the search finds nothing."""

    text: str
    params: dict[str, Any]


class DocumentStore(Protocol):
    """Writes join the caller's transaction, so that documents and the ledger of their batch agree."""

    def upsert(self, connection: Connection, index: Index, documents: Sequence[NewDocument]) -> None:
        """Write documents, replacing those of the same id; each id exists once afterwards."""

    def keep_only(
        self, connection: Connection, index: Index, kept: Mapping[str, int | None], sources: Sources, batch_id: str = ""
    ) -> int:
        """Remove what earlier runs made of these sources and this one does not make any more; return how many.

        What other collections made of a removed document goes with it.

        Args:
            kept: the rows that the sources have now, by the id of their (first) document, with the number of parts
                of each; None keeps all there are.
            batch_id: the batch that made them.
        """

    def remove_made_of(self, connection: Connection, document_ids: Sequence[str]) -> int:
        """Remove what other collections made of these documents, and what was made of that; return how many."""

    def remove_some(self, connection: Connection, index: Index, most: int) -> int:
        """Remove up to `most` documents of an index that is given up; return how many.

        What other collections made of a document goes with it unless another generation of its collection has it.
        """

    def search(
        self,
        connection: Connection,
        indexes: Sequence[Index],
        feature: str,
        vector: Sequence[float],
        metric: Metric,
        k: int,
        *,
        where: Filter | None = None,
        documents: bool = False,
        premise: Premise | None = None,
    ) -> list[Hit]:
        """Return the `k` nearest documents over all `indexes` that pass `where`, best first, ties by document id.

        A vector of zeros has no direction: by cosine nothing is found by it, and no score of a document that has one
        tells anything, if that is found at all.

        Args:
            where: over the fields of `documents.listing.SURFACE`.
            documents: also return the documents, where that takes no further question.
            premise: what is checked with it, in the same snapshot.

        Raises: ServiceUnavailable: an index was dropped meanwhile.
        """

    def search_text(
        self, connection: Connection, indexes: Sequence[Index], query: str, k: int, *, where: Filter | None = None
    ) -> list[Hit]:
        """Return the `k` documents that the words of `query` fit best by BM25, best first, ties by document id.

        A document has at least one of the words, or another form of it; which text of it is read: `documents.terms`.
        How much a word tells goes by all documents of the indexes, whether they pass `where` or not.
        """

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

    def delete_of_objects(
        self,
        connection: Connection,
        namespace_id: str,
        object_ids: Sequence[str],
        *,
        blob_ids: Sequence[str] | None = None,
    ) -> int:
        """Delete what collections of the namespace made of these objects, at once or by way of others; return how many.

        Args: blob_ids: only what was made of these blobs of them.
        """

    def query(self, connection: Connection, index: Index, query: Query, *, vectors: bool = False) -> Found[Document]:
        """Return one page of the documents that a query lists, by id where it does not sort."""

    def group(
        self, connection: Connection, index: Index, query: Query, field: str, *, each: int, vectors: bool = False
    ) -> Groups:
        """Return one page of the groups that documents make by a field, up to `each` documents of every group.

        A document without the field belongs to the group of null. The query's sort orders documents within groups.
        """

    def stats(self, connection: Connection, index: Index, query: Query, group_by: str | None = None) -> Stats:
        """Count what a query lists on all its pages."""

    def aggregate(self, connection: Connection, index: Index, wanted: Aggregate) -> list[dict[str, Any]]:
        """Return `{group, metrics}` for each group of documents."""

    def edit(
        self,
        connection: Connection,
        index: Index,
        document_ids: Sequence[str],
        fields: dict[str, Any],
        *,
        replace: bool = False,
    ) -> set[str]:
        """Set fields of documents, or with `replace` all their fields; return the ids of those that exist.

        A field set here stays when the document is made again, unless its extractor makes a field of that name.
        """

    def carry_over(self, connection: Connection, before: Index, generation: int) -> None:
        """Give another generation what users made and set in the one before: no extractor makes that again.

        A field that the extractor makes is the extractor's, as whenever a document is made anew.
        """

    def delete(self, connection: Connection, index: Index, document_ids: Sequence[str]) -> set[str]:
        """Delete documents with their vectors; return the ids of those that existed.

        What other collections made of them goes with them. A batch that was begun before stores none of them later,
        whether they were there already or not.
        """

    def hold_off_deletions(self, connection: Connection, namespace_id: str) -> int:
        """Have `delete` and `delete_of_objects` in a namespace wait until the transaction ends.

        Return a number that is another one after each of them: while it stays, nothing is gone that was there.
        """
