"""What a list is asked for: which things, in what order, which part of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mixpeek.filters.model import EVERYTHING, Filter


@dataclass(frozen=True)
class Sort:
    """Order by one field; what lacks it, or holds a list or an object there, comes last in either direction."""

    field: str
    descending: bool = False


@dataclass(frozen=True)
class Position:
    """Behind which thing a page starts: its key, and where a list is sorted, the value it was sorted by (JSON).

    `sort` is the order that the position belongs to; `value` is None for what comes last for want of one.
    """

    key: tuple[str, ...]
    sort: Sort | None = None
    value: Any = None


@dataclass(frozen=True)
class Query:
    """One page of a list."""

    limit: int
    filter: Filter = EVERYTHING
    search: str | None = None
    sort: Sort | None = None
    after: Position | None = None
    offset: int = 0
    with_total: bool = False
