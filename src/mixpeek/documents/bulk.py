"""Changes of every document that passes a filter, in one transaction, so many at once as memory holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mixpeek.db.pool import Connection
from mixpeek.documents.port import DocumentStore, Index
from mixpeek.filters.model import Filter
from mixpeek.filters.query import Query

AT_ONCE = 1000


def edit_matching(
    store: DocumentStore, connection: Connection, index: Index, wanted: Filter, fields: dict[str, Any]
) -> int:
    """Set fields of all documents that pass a filter; return how many."""
    return sum(len(store.edit(connection, index, ids, fields)) for ids in _pages(store, connection, index, wanted))


def delete_matching(store: DocumentStore, connection: Connection, index: Index, wanted: Filter) -> int:
    """Delete all documents that pass a filter; return how many."""
    return sum(len(store.delete(connection, index, ids)) for ids in _pages(store, connection, index, wanted))


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
