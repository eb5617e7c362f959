"""The order of documents by a field, as the store has it: texts, then numbers, then truth values; the rest last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from mixpeek.documents.port import Document
from mixpeek.filters.query import Sort
from mixpeek.retrieval.results import Result

Item = TypeVar("Item")


def sort_key(value: Any) -> tuple[int, Any] | None:
    """Return what a value is ordered by; None for what has no order."""
    if isinstance(value, bool):
        return (2, value)
    if isinstance(value, int | float):
        return (1, value)
    return (0, value) if isinstance(value, str) else None


def sort_by(
    items: Iterable[Item], read: Callable[[Item], Any], *, descending: bool, nulls_last: bool = True
) -> list[Item]:
    """Return items by a value of theirs; equal ones stay in their order, those without one come last, or first."""
    valued: list[tuple[tuple[int, Any], Item]] = []
    without: list[Item] = []
    for item in items:
        key = sort_key(read(item))
        if key is None:
            without.append(item)
        else:
            valued.append((key, item))
    ordered = [item for _, item in sorted(valued, key=lambda pair: pair[0], reverse=descending)]
    return ordered + without if nulls_last else without + ordered


def merge_sorted(parts: Sequence[Sequence[Document]], sort: Sort | None) -> list[Document]:
    """Return the documents of several collections in one order; without a sort one collection after the other."""
    together = [document for part in parts for document in part]
    if sort is None or sum(map(bool, parts)) < 2:
        return together

    def read(document: Document) -> Any:
        return Result(document.document_id, document.collection_id, 0.0, stored=document).read(sort.field)

    by_id = sorted(together, key=lambda document: document.document_id)
    return sort_by(by_id, read, descending=sort.descending)
