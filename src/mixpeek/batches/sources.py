"""What a batch's chunks are cut from and read back as: objects of buckets, or documents of other collections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mixpeek.batches import chunk_queries, queries, tier_queries
from mixpeek.batches.models import Batch, Chunk, Row, Tier
from mixpeek.batches.planning import chunk_size
from mixpeek.batches.rows import Recipe, row_from_document, rows_from_object
from mixpeek.catalog.models import StoredObject
from mixpeek.catalog.queries import read_contents
from mixpeek.collections.models import Collection
from mixpeek.collections.queries import find_collection
from mixpeek.collections.source_filters import matches, read_source_filter
from mixpeek.db.pool import Connection
from mixpeek.documents.port import Document, DocumentStore, Index
from mixpeek.filters.model import Filter

# Documents read at once where filters choose among them.
READ_AT_ONCE = 1000


@dataclass(frozen=True)
class Target:
    """A collection, and the generation of it that a batch fills."""

    collection: Collection
    generation: int


class Planner:
    """Cuts the sources of a tier's collections into chunks."""

    def __init__(self, documents: DocumentStore, hosts: int, most: int) -> None:
        self._documents = documents
        self._hosts = hosts
        self._most = most

    def plan(self, connection: Connection, batch: Batch, tier: Tier, targets: Sequence[Target]) -> None:
        """Cut what each collection reads in this batch into chunks, and begin the tier."""
        found = taken = 0
        for target in targets:
            plan = self._plan_objects if tier.source_type == "bucket" else self._plan_documents
            counts = plan(connection, batch, tier, target)
            found, taken = found + counts[0], taken + counts[1]
        tier_queries.begin_tier(connection, tier, found, taken)

    def _plan_objects(self, connection: Connection, batch: Batch, _: Tier, target: Target) -> tuple[int, int]:
        collection = target.collection
        buckets = [one for one in batch.bucket_ids if one in collection.source["bucket_ids"]]
        found = queries.count_objects(connection, batch, buckets)
        size = chunk_size(found, self._hosts, self._most)
        filters = _filters(batch, collection, is_first=True)
        if not filters:
            chunk_queries.plan_chunks(connection, batch, collection.collection_id, target.generation, size, buckets)
            return found, found
        chosen = [
            stored.object_id
            for stored in _all_objects(connection, batch, buckets)
            if all(matches(one, fields_of_object(stored)) for one in filters)
        ]
        chunk_queries.insert_chunks(connection, _chunks(batch, target, chosen, size))
        return found, len(chosen)

    def _plan_documents(self, connection: Connection, batch: Batch, tier: Tier, target: Target) -> tuple[int, int]:
        collection = target.collection
        filters = _filters(batch, collection, is_first=tier.is_first)
        chosen: list[tuple[Index, list[str]]] = []
        found = 0
        for index, ids in self._sources(connection, batch, tier, collection):
            found += len(ids)
            chosen.append((index, self._matching(connection, index, ids, filters)))
        taken = sum(len(ids) for _, ids in chosen)
        size, chunks = chunk_size(taken, self._hosts, self._most), list[Chunk]()
        for index, ids in chosen:
            chunks += _chunks(batch, target, ids, size, index=index, first=len(chunks))
        chunk_queries.insert_chunks(connection, chunks)
        return found, taken

    def _sources(
        self, connection: Connection, batch: Batch, tier: Tier, collection: Collection
    ) -> Iterator[tuple[Index, list[str]]]:
        """Yield the documents a collection reads: in the first tier all, later those of the batch's sources."""
        for source_id in collection.source["collection_ids"]:
            if source_id not in tier.source_collection_ids:
                continue
            if tier.is_first:
                source = find_collection(connection, batch.namespace_id, source_id)
                if source is not None:
                    index = Index(source_id, source.live_generation)
                    yield index, queries.documents_of_collection(connection, source_id, index.generation)
                continue
            for generation, ids in chunk_queries.documents_of_batch(connection, batch.batch_id, source_id).items():
                yield Index(source_id, generation), ids

    def _matching(self, connection: Connection, index: Index, ids: list[str], filters: list[Filter]) -> list[str]:
        if not filters:
            return ids
        chosen: list[str] = []
        for some in _cut(ids, READ_AT_ONCE):
            read = self._documents.fetch(connection, [index], some)
            chosen += [
                one
                for one in some
                if one in read and all(matches(each, fields_of_document(read[one])) for each in filters)
            ]
        return chosen


@dataclass(frozen=True)
class ChunkRows:
    """The rows of a chunk that are to be run, in order, and the ids of all rows its sources have."""

    rows: list[Row]
    all_ids: list[str]


def rows_of_chunk(connection: Connection, documents: DocumentStore, chunk: Chunk, recipe: Recipe) -> ChunkRows:
    """Return a chunk's rows; of a retry only those that failed before, and none of what was deleted meanwhile."""
    rows = _read_rows(connection, documents, chunk, recipe)
    wanted = None if chunk.row_ids is None else set(chunk.row_ids)
    chosen = rows if wanted is None else [row for row in rows if row.document_id in wanted]
    return ChunkRows(chosen, [row.document_id for row in rows])


def _read_rows(connection: Connection, documents: DocumentStore, chunk: Chunk, recipe: Recipe) -> list[Row]:
    if chunk.source_collection_id is None or chunk.source_generation is None:
        objects = read_contents(connection, chunk.object_ids)
        return [row for contents in objects for row in rows_from_object(contents, recipe)]
    vectors = any(mapping.source_type == "vector" for mapping in recipe.input_mappings)
    index = Index(chunk.source_collection_id, chunk.source_generation)
    found = documents.fetch(connection, [index], chunk.document_ids, vectors=vectors)
    return [row_from_document(found[one], recipe) for one in chunk.document_ids if one in found]


def fields_of_object(stored: StoredObject) -> dict[str, Any]:
    """Return what filters may ask of an object."""
    blobs = {blob["property"]: blob["data"] for blob in reversed(stored.blobs)}
    own = {"object_id": stored.object_id, "bucket_id": stored.bucket_id, "key_prefix": stored.key_prefix}
    return {**own, **stored.fields, **blobs}


def fields_of_document(document: Document) -> dict[str, Any]:
    """Return what filters may ask of a document: its fields, and its lineage under both of the documented names."""
    own = {"document_id": document.document_id, "collection_id": document.collection_id}
    return {**document.internal.get("lineage", {}), **own, **document.payload, "_internal": document.internal}


def _filters(batch: Batch, collection: Collection, *, is_first: bool) -> list[Filter]:
    """Return the filters that a source must pass: the collection's own, and the batch's where it begins."""
    given = [collection.source.get("source_filters"), batch.source_filters if is_first else None]
    return [read_source_filter(filters) for filters in given if filters]


def _all_objects(connection: Connection, batch: Batch, buckets: list[str]) -> Iterator[StoredObject]:
    after = 0
    while page := queries.page_objects(connection, batch, buckets, after):
        yield from page
        after = page[-1].sequence


def _chunks(
    batch: Batch, target: Target, ids: Sequence[str], size: int, *, index: Index | None = None, first: int = 0
) -> list[Chunk]:
    made = []
    for number, held in enumerate(_cut(ids, size), start=first):
        made.append(
            Chunk(
                batch_id=batch.batch_id,
                collection_id=target.collection.collection_id,
                generation=target.generation,
                chunk=number,
                object_ids=[] if index else held,
                document_ids=held if index else [],
                source_collection_id=index.collection_id if index else None,
                source_generation=index.generation if index else None,
            )
        )
    return made


def _cut(ids: Sequence[str], size: int) -> Iterator[list[str]]:
    return (list(ids[start : start + size]) for start in range(0, len(ids), size))
