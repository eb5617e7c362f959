"""Pages of a list, whatever is listed: scope, filter, search, order and position in one statement.

A list has an order of its own, by its key; a sort puts a field before the key. Pages follow each other by position,
not by number, so that what is added or removed meanwhile neither repeats nor hides anything else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, LiteralString, TypeVar

from psycopg.types.json import Jsonb

from mixpeek.db.pool import Connection, dict_rows, dict_rows_planned_anew, scalar
from mixpeek.db.time_limit import time_limit
from mixpeek.errors import InvalidRequest
from mixpeek.filters.model import EVERYTHING
from mixpeek.filters.query import Position, Query
from mixpeek.filters.sql import compile_filter, compile_search, compile_value
from mixpeek.filters.surface import Surface

Row = TypeVar("Row")

# A sort looks at so much of a text, for the position of a page carries it.
SORTED_CHARACTERS = 200


@dataclass(frozen=True)
class Listing:
    """What can be listed.

    `source` is a SELECT of every column that rows, `surface` and scopes name. `key` are columns that are unique
    together and never change, each with its type; `newest_first` turns their order around.
    """

    source: LiteralString
    surface: Surface
    key: tuple[tuple[LiteralString, LiteralString], ...]
    newest_first: bool = False


@dataclass(frozen=True)
class Found(Generic[Row]):
    """One page; `after` is where the next one starts, None on the last, `total` is None unless asked for."""

    rows: list[Row]
    after: Position | None
    total: int | None = None


def list_rows(
    connection: Connection, row: type[Row], listing: Listing, query: Query, scope: LiteralString, params: dict[str, Any]
) -> Found[Row]:
    """Return one page of what `scope`, a condition over the listing's columns, holds.

    Raises: FilterInvalid: a field that cannot be named. FilterTimedOut. InvalidRequest: a cursor of another order.
    """
    found = list_dicts(connection, listing, query, scope, params)
    return Found([row(**each) for each in found.rows], found.after, found.total)


def list_dicts(
    connection: Connection, listing: Listing, query: Query, scope: LiteralString, params: dict[str, Any]
) -> Found[dict[str, Any]]:
    """Return one page as `list_rows` does, each row a dictionary."""
    return page_of(connection, Statement(listing, query, scope, params))


def page_of(connection: Connection, statement: Statement) -> Found[dict[str, Any]]:
    """Return the page that a statement lists, each row a dictionary; raises what `list_rows` does."""
    query, listing = statement.query, statement.listing
    rows_of = dict_rows if query.filter == EVERYTHING else dict_rows_planned_anew
    with time_limit(connection):
        rows = rows_of(connection, statement.page(), statement.params)
        total = None
        if query.with_total:
            total = int(scalar(connection, f"SELECT count(*) {statement.everything()}", statement.params))
    values = [row.pop("sort_value", None) for row in rows]
    if len(rows) <= query.limit:
        return Found(rows, None, total)
    last = rows[query.limit - 1]
    key = tuple(_text(last[name]) for name, _ in listing.key)
    return Found(rows[: query.limit], Position(key, query.sort, values[query.limit - 1]), total)


def count_rows(
    connection: Connection, listing: Listing, query: Query, scope: LiteralString, params: dict[str, Any]
) -> int:
    """Count everything that a query would list, on whatever page."""
    statement = Statement(listing, query, scope, params)
    with time_limit(connection):
        return int(scalar(connection, f"SELECT count(*) {statement.everything()}", statement.params))


class Statement:
    """The parts of a list's statement; `params` are those of all of them together."""

    def __init__(self, listing: Listing, query: Query, scope: LiteralString, params: dict[str, Any]) -> None:
        self.listing = listing
        self.query = query
        self.params: dict[str, Any] = dict(params)
        self._conditions: list[str] = [scope]
        if query.filter != EVERYTHING:
            self._add(compile_filter(query.filter, listing.surface))
        if query.search:
            self._add(compile_search(query.search, listing.surface))
        self.sort_value: str | None = None
        if query.sort is not None:
            value = compile_value(query.sort.field, listing.surface, prefix="sort")
            self.params |= value.params
            self.sort_value = _sortable(value.text)

    def _add(self, fragment: Any) -> None:
        self.params |= fragment.params
        self._conditions.append(fragment.text)

    def everything(self) -> str:
        """Return FROM and WHERE of all pages."""
        return f"FROM ({self.listing.source}) AS listed WHERE {' AND '.join(self._conditions)}"

    def order(self) -> str:
        """Return what the list is ordered by; a missing value comes last."""
        direction = " DESC" if self.listing.newest_first else ""
        keys = [f"{name}{direction}" for name, _ in self.listing.key]
        if self.query.sort is None or self.sort_value is None:
            return ", ".join(keys)
        sign = "DESC" if self.query.sort.descending else "ASC"
        return ", ".join([f"{self.sort_value} {sign} NULLS LAST", *keys])

    def page(self) -> str:
        columns = f"*, {self.sort_value} AS sort_value" if self.sort_value else "*"
        behind = self._behind()
        self.params |= {"page_limit": self.query.limit + 1, "page_offset": self.query.offset}
        return (
            f"SELECT {columns} {self.everything()}{f' AND {behind}' if behind else ''}"
            f" ORDER BY {self.order()} LIMIT %(page_limit)s OFFSET %(page_offset)s"
        )

    def _behind(self) -> str | None:
        """Return the condition that a row comes behind the position."""
        after = self.query.after
        if after is None:
            return None
        if after.sort != self.query.sort or len(after.key) != len(self.listing.key):
            raise InvalidRequest(
                "The cursor belongs to a list in another order", hint="Start without a cursor, or sort as before"
            )
        sign = "<" if self.listing.newest_first else ">"
        names = ", ".join(name for name, _ in self.listing.key)
        values = ", ".join(f"%(after_{n})s::{kind}" for n, (_, kind) in enumerate(self.listing.key))
        self.params |= {f"after_{n}": value for n, value in enumerate(after.key)}
        behind_key = f"({names}) {sign} ({values})"
        if after.sort is None:
            return behind_key
        if after.value is None:
            return f"({self.sort_value} IS NULL AND {behind_key})"
        self.params["after_value"] = Jsonb(after.value)
        beyond = f"{self.sort_value} {'<' if after.sort.descending else '>'} %(after_value)s"
        same = f"({self.sort_value} = %(after_value)s AND {behind_key})"
        return f"({beyond} OR {same} OR {self.sort_value} IS NULL)"


def without_page(query: Query) -> Query:
    """Return a query for everything that it lists on all its pages."""
    return replace(query, after=None, offset=0)


def _sortable(value: str) -> str:
    """Return the part of a value that is sorted by, null for what has no order; texts come before numbers."""
    text = f"to_jsonb(left({value} #>> '{{}}', {SORTED_CHARACTERS}))"
    kinds = f"WHEN 'string' THEN {text} WHEN 'number' THEN {value} WHEN 'boolean' THEN {value}"
    return f"(CASE jsonb_typeof({value}) {kinds} END)"


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
