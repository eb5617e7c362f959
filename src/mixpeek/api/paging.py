"""Pages of a list: `limit` and an opaque cursor, in the query or, as some documents write it, in the body."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends
from fastapi import Query as QueryParam
from pydantic import Field, field_validator, model_validator

from mixpeek.db.listing import Found
from mixpeek.errors import InvalidRequest
from mixpeek.filters.parse import parse_filter
from mixpeek.filters.query import Position, Query, Sort
from mixpeek.text import fault_of_text
from mixpeek.wire import WireModel


@dataclass(frozen=True)
class Page:
    limit: int
    cursor: str | None
    offset: int = 0

    @property
    def after(self) -> str:
        """Return the key the page starts behind; "" for the first page."""
        if not self.cursor:
            return ""
        try:
            return base64.b64decode(self.cursor.encode(), altchars=b"-_", validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise InvalidRequest("The cursor is not one of this server's", hint="Start without a cursor") from error

    @property
    def after_number(self) -> int:
        """Return the sequence number the page starts behind; 0 for the first page."""
        if self.after and not self.after.isdigit():
            raise InvalidRequest("The cursor is not one of this list's", hint="Start without a cursor")
        return int(self.after or 0)


def _page(
    limit: Annotated[int, QueryParam(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, QueryParam()] = None,
    offset: Annotated[int, QueryParam(ge=0, le=2**31 - 1)] = 0,
) -> Page:
    return Page(limit, cursor, offset)


PageDep = Annotated[Page, Depends(_page)]


def wire_page(
    page: Page, results: Sequence[Any], last_key: str | None, *, is_full: bool | None = None
) -> dict[str, Any]:
    """Return the documented list body; `last_key` is the key of the last result when there may be more.

    Args: is_full: whether the page ends where it had to; else one with fewer results than its limit is the last.
    """
    more = (len(results) == page.limit if is_full is None else is_full) and last_key is not None
    cursor = base64.urlsafe_b64encode(last_key.encode()).decode() if more and last_key else None
    pagination = {
        "total": None,
        "page": None,
        "page_size": page.limit,
        "total_pages": None,
        "next_page": None,
        "previous_page": None,
        "next_cursor": cursor,
    }
    return {"results": list(results), "pagination": pagination}


class SortBody(WireModel):
    """What to order by; what lacks the field comes last."""

    field: str = Field(min_length=1)
    direction: Literal["asc", "desc"] = "asc"

    @field_validator("direction", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


class ListRequest(WireModel):
    """What to list: `filters` as in docs/howto/filter-documents.md, `search` in names and texts, `sort` by any field.

    Pages are asked for in the query; a body that asks for them, as some documents do, is understood too.
    """

    filters: dict[str, Any] | None = None
    search: str | None = Field(None, max_length=1000)
    sort: SortBody | None = None
    sorts: list[SortBody] | None = Field(None, max_length=1, description="`sort`, as retrievers spell it.")
    case_sensitive: bool | None = Field(None, description="Whether case matters in `filters`; it does not by default.")
    limit: int | None = Field(None, ge=1, le=10_000)
    offset: int | None = Field(None, ge=0, le=2**31 - 1)
    cursor: str | None = None
    page: int | None = Field(None, ge=1, le=1_000_000)
    page_size: int | None = Field(None, ge=1, le=10_000)
    include_total: bool = False

    @model_validator(mode="after")
    def _agree(self) -> ListRequest:
        for one, other in (("sort", "sorts"), ("limit", "page_size"), ("offset", "page")):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise ValueError(f"send either `{one}` or `{other}`")
        return self


@dataclass(frozen=True)
class ListedPage:
    """The page that a request's query asks for."""

    page: Page
    with_total: bool

    def query(self, body: ListRequest | None, *, always_counted: bool = False) -> Query:
        """Return what the whole request asks for; what the body says goes before what the query says.

        Raises: FilterInvalid. InvalidRequest: a cursor that is not this server's.
        """
        body = body or ListRequest()
        limit = body.limit or body.page_size or self.page.limit
        offset = body.offset if body.offset is not None else self.page.offset
        if body.page is not None:
            offset = (body.page - 1) * limit
        sort = body.sort or (body.sorts[0] if body.sorts else None)
        cursor = body.cursor or self.page.cursor
        return Query(
            limit=limit,
            filter=parse_filter(body.filters, case_sensitive=bool(body.case_sensitive)),
            search=body.search or None,
            sort=Sort(sort.field, sort.direction == "desc") if sort else None,
            after=_position(cursor) if cursor else None,
            # A cursor says where to go on: an offset beside it would leave things out.
            offset=0 if cursor else offset,
            with_total=always_counted or self.is_total_asked(body),
        )

    def is_total_asked(self, body: ListRequest | None) -> bool:
        return self.with_total or (body is not None and body.include_total)


def _listed_page(
    limit: Annotated[int, QueryParam(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, QueryParam()] = None,
    offset: Annotated[int, QueryParam(ge=0, le=2**31 - 1)] = 0,
    include_total: Annotated[bool, QueryParam()] = False,
) -> ListedPage:
    return ListedPage(Page(limit, cursor, offset), include_total)


ListedPageDep = Annotated[ListedPage, Depends(_listed_page)]


def wire_found(query: Query, results: Sequence[Any], found: Found[Any]) -> dict[str, Any]:
    """Return the documented list body; totals only where the query asks for them."""
    return {"results": list(results), "pagination": wire_pagination(query, found.after, found.total)}


def wire_pagination(query: Query, after: Position | None, total: int | None) -> dict[str, Any]:
    """Return the documented `pagination`; a page has a number where it was asked for by number."""
    is_numbered = total is not None and query.after is None and query.offset % query.limit == 0
    return {
        "total": total,
        "page": query.offset // query.limit + 1 if is_numbered else None,
        "page_size": query.limit,
        "total_pages": None if total is None else -(-total // query.limit),
        "next_page": None,
        "previous_page": None,
        "next_cursor": _cursor(after) if after else None,
    }


def _cursor(position: Position) -> str:
    sort = [position.sort.field, position.sort.descending] if position.sort else None
    text = json.dumps([list(position.key), sort, position.value], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def _position(cursor: str) -> Position:
    try:
        key, sort, value = json.loads(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
        is_ours = all(isinstance(part, str) and fault_of_text(part) is None for part in key)
        position = Position(tuple(key), Sort(str(sort[0]), bool(sort[1])) if sort else None, value)
    except (binascii.Error, ValueError, TypeError, IndexError, KeyError, RecursionError):
        is_ours = False
    if not is_ours or fault_of_text(position.value) is not None:
        raise InvalidRequest("The cursor is not one of this list's", hint="Start without a cursor")
    return position
