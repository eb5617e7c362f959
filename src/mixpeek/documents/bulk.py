"""Changes of every document that passes a filter, in one transaction, so many at once as memory holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mixpeek.db.pool import Connection
from mixpeek.documents.port import DocumentStore, Index
from mixpeek.filters.model import Filter
from mixpeek.filters.query import Query

AT_ONCE = 1000


def edit_matching(
    store: DocumentStore,
    connection: Connection,
    index: Index,
    wanted: Filter,
    fields: dict[str, Any],
    others: Sequence[Index] = (),
) -> int:
    """Set fields of all documents that pass a filter, and of the same ones in `others`; return how many."""
    count = 0
    for ids in _pages(store, connection, index, wanted):
        count += len(store.edit(connection, index, ids, fields))
        for other in others:
            store.edit(connection, other, ids, fields)
    return count


def delete_matching(
    store: DocumentStore, connection: Connection, index: Index, wanted: Filter, others: Sequence[Index] = ()
) -> int:
    """Delete all documents that pass a filter, and the same ones in `others`; return how many."""
    count = 0
    for ids in _pages(store, connection, index, wanted):
        count += len(store.delete(connection, index, ids))
        for other in others:
            store.delete(connection, other, ids)
    return count


def _pages(store: DocumentStore, connection: Connection, index: Index, wanted: Filter) -> Iterator[list[str]]:
    """Yield ids in pages; by position, as a change may be the reason that a document no longer passes."""
    query = Query(AT_ONCE, wanted)
    while True:
        found = store.query(connection, index, query)
        if found.rows:
            yield [document.document_id for document in found.rows]
        if found.after is None:
            return
        query = Query(AT_ONCE, wanted, after=found.after)
