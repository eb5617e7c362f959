"""Removing documents from PostgreSQL, with everything that other collections made of them.

What is removed from a collection that batches write to meanwhile is noted for them (migration 0035).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from mixpeek.db.pool import Connection, dict_rows, scalar
from mixpeek.documents.port import Index, Sources
from mixpeek.documents.vectors import VectorStore

# What is returned of a document whose row is deleted.
_GONE: LiteralString = (
    "d.collection_id, d.generation, d.document_id, d.batch_id, COALESCE(d.row_id, d.document_id) AS row_id,"
    " COALESCE(d.source_document_id, d.object_id) AS source_id"
)
OF_DOCUMENTS = "d.source_document_id = s.id"
OF_OBJECTS = "d.object_id = s.id AND d.source_document_id IS NULL"


def keep_only(
    connection: Connection,
    vectors: VectorStore,
    index: Index,
    kept: Mapping[str, int | None],
    sources: Sources,
    batch_id: str,
) -> int:
    """See `DocumentStore.keep_only`."""
    place = {"collection": index.collection_id, "generation": index.generation}
    # One look into the index per source, which OFFSET keeps the planner from changing: while a collection is filled for
    # the first time it takes the table for empty, and would compare each document with each source.
    found = dict_rows(
        connection,
        "SELECT d.* FROM unnest(%(sources)s::text[]) s (id) CROSS JOIN LATERAL (SELECT d.document_id,"
        " COALESCE(d.row_id, d.document_id) AS row_id, d.position FROM documents d"
        " WHERE d.collection_id = %(collection)s AND d.generation = %(generation)s"
        f" AND {OF_DOCUMENTS if sources.document_ids else OF_OBJECTS} OFFSET 0) d",
        {**place, "sources": list(sources.document_ids or sources.object_ids)},
    )
    extra = [one["document_id"] for one in found if not _is_kept(one, kept)]
    if not extra:
        return 0
    gone = dict_rows(
        connection,
        "DELETE FROM documents d WHERE collection_id = %(collection)s AND generation = %(generation)s"
        f" AND document_id = ANY(%(extra)s) RETURNING {_GONE}",
        {**place, "extra": extra},
    )
    return _remove_all(connection, vectors, gone, by=batch_id)


def _is_kept(document: Mapping[str, Any], kept: Mapping[str, int | None]) -> bool:
    parts = kept.get(document["row_id"], 0)
    return parts is None or document["position"] < parts


def delete(connection: Connection, vectors: VectorStore, index: Index, document_ids: Sequence[str]) -> set[str]:
    """See `DocumentStore.delete`."""
    namespace_id = scalar(
        connection, "SELECT namespace_id FROM collections WHERE collection_id = %s", [index.collection_id]
    )
    number = hold_off_batches(connection, str(namespace_id))
    place = [index.collection_id, index.generation, list(document_ids)]
    gone = dict_rows(
        connection,
        "DELETE FROM documents d WHERE collection_id = %s AND generation = %s AND document_id = ANY(%s)"
        f" RETURNING {_GONE}",
        place,
    )
    # Also those that are not there: a batch may be about to store them.
    connection.execute(
        "INSERT INTO document_removals (collection_id, generation, document_id, number)"
        " SELECT w.collection_id, %s, a.id, %s FROM unnest(%s::text[]) a (id), (SELECT DISTINCT collection_id"
        "  FROM document_watches WHERE collection_id = %s) w WHERE a.id <> ALL(%s)",
        [
            index.generation,
            number,
            list(document_ids),
            index.collection_id,
            [one["document_id"] for one in gone],
        ],
    )
    _remove_all(connection, vectors, gone, number=number)
    return {one["document_id"] for one in gone}


def delete_of_objects(
    connection: Connection,
    vectors: VectorStore,
    namespace_id: str,
    object_ids: Sequence[str],
    blob_ids: Sequence[str] | None,
) -> int:
    """See `DocumentStore.delete_of_objects`."""
    number = hold_off_batches(connection, namespace_id)
    gone = dict_rows(
        connection,
        "DELETE FROM documents d USING collection_generations g, collections c WHERE c.namespace_id = %(namespace)s"
        " AND g.collection_id = c.collection_id AND d.collection_id = g.collection_id"
        " AND d.generation = g.generation AND d.object_id = ANY(%(objects)s)"
        " AND (%(blobs)s::text[] IS NULL OR EXISTS (SELECT FROM jsonb_array_elements(d.internal->'source_blobs') b"
        "  WHERE b->>'blob_id' = ANY(%(blobs)s)))"
        f" RETURNING {_GONE}",
        {
            "namespace": namespace_id,
            "objects": list(object_ids),
            "blobs": None if blob_ids is None else list(blob_ids),
        },
    )
    return _remove_all(connection, vectors, gone, number=number)


def hold_off_batches(connection: Connection, namespace_id: str) -> int:
    """Have no batch of a namespace store anything until the transaction, which deletes, has ended; return its number.

    Else a batch that found a source there could store what it made of it just after that was deleted.
    """
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 26))", [namespace_id])
    counted: LiteralString = (
        "INSERT INTO document_deletions AS d (namespace_id, number) VALUES (%s, 1)"
        " ON CONFLICT (namespace_id) DO UPDATE SET number = d.number + 1 RETURNING number"
    )
    return int(scalar(connection, counted, [namespace_id]))


def hold_off_deletions(connection: Connection, namespace_id: str) -> int:
    """See `DocumentStore.hold_off_deletions`."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 26))", [namespace_id])
    return scalar(connection, "SELECT number FROM document_deletions WHERE namespace_id = %s", [namespace_id]) or 0


def remove_made_of(connection: Connection, vectors: VectorStore, document_ids: Sequence[str]) -> int:
    """See `DocumentStore.remove_made_of`."""
    return _remove_all(connection, vectors, _delete_made_of(connection, document_ids))


def remove_some(connection: Connection, vectors: VectorStore, index: Index, most: int) -> int:
    """See `DocumentStore.remove_some`."""
    place = {"collection": index.collection_id, "generation": index.generation, "most": most}
    gone = dict_rows(
        connection,
        "DELETE FROM documents d WHERE collection_id = %(collection)s AND generation = %(generation)s"
        " AND document_id IN (SELECT document_id FROM documents"
        "  WHERE collection_id = %(collection)s AND generation = %(generation)s"
        f"  ORDER BY document_id LIMIT %(most)s) RETURNING {_GONE}",
        place,
    )
    remove_rest(connection, vectors, gone)
    ids = [one["document_id"] for one in gone]
    kept = dict_rows(
        connection,
        "SELECT DISTINCT document_id FROM document_keys WHERE collection_id = %(collection)s"
        " AND generation <> %(generation)s AND document_id = ANY(%(ids)s)",
        {**place, "ids": ids},
    )
    remove_made_of(connection, vectors, sorted({*ids} - {one["document_id"] for one in kept}))
    return len(gone)


def remove_rest(connection: Connection, vectors: VectorStore, gone: Sequence[Mapping[str, Any]]) -> None:
    """Remove what there is beside the rows of documents, which are deleted already."""
    by_index: dict[Index, list[str]] = {}
    for one in gone:
        by_index.setdefault(Index(one["collection_id"], one["generation"]), []).append(one["document_id"])
    for index in sorted(by_index, key=lambda index: (index.collection_id, index.generation)):
        vectors.remove(connection, index, by_index[index])
        connection.execute(
            "DELETE FROM document_keys WHERE collection_id = %s AND generation = %s AND document_id = ANY(%s)",
            [index.collection_id, index.generation, by_index[index]],
        )


def _remove_all(
    connection: Connection, vectors: VectorStore, gone: list[dict[str, Any]], *, number: int = 0, by: str = ""
) -> int:
    """Remove the rest of documents whose rows are deleted, then all that was made of them; return how many.

    Args: number: the deletion it is, of those that users make. by: the batch that removes what it no longer makes.
    """
    removed = 0
    while gone:
        removed += len(gone)
        _note(connection, gone, number, by)
        remove_rest(connection, vectors, gone)
        gone = _delete_made_of(connection, [one["document_id"] for one in gone])
    return removed


def _note(connection: Connection, gone: Sequence[Mapping[str, Any]], number: int, by: str) -> None:
    """Note documents for the batches that write to their collections: for all, or those alone that wrote them."""
    names = ("collection_id", "generation", "document_id", "batch_id", "row_id", "source_id")
    connection.execute(
        "INSERT INTO document_removals (collection_id, generation, document_id, batch_id, row_id, source_id, number)"
        " SELECT g.*, %(number)s FROM unnest(%(collection_id)s::text[], %(generation)s::int[], %(document_id)s::text[],"
        "  %(batch_id)s::text[], %(row_id)s::text[], %(source_id)s::text[]) g (collection_id, generation, document_id,"
        "  batch_id, row_id, source_id) WHERE g.batch_id <> %(by)s AND EXISTS (SELECT FROM document_watches w"
        "  WHERE w.collection_id = g.collection_id AND (%(number)s > 0 OR w.batch_id = g.batch_id))",
        {"number": number, "by": by, **{name: [one[name] for one in gone] for name in names}},
    )


def _delete_made_of(connection: Connection, document_ids: Sequence[str]) -> list[dict[str, Any]]:
    return dict_rows(
        connection,
        f"DELETE FROM documents d WHERE source_document_id = ANY(%s) RETURNING {_GONE}",
        [list(document_ids)],
    )
