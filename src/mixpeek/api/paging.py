"""Pages of a list: `limit` and an opaque cursor, in the query or, as some documents write it, in the body."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import Field

from mixpeek.errors import InvalidRequest
from mixpeek.wire import WireModel


class ListBody(WireModel):
    """The body of a list request."""

    limit: int | None = Field(None, ge=1, le=10_000)
    offset: int | None = Field(None, ge=0)
    cursor: str | None = None
    return_vectors: bool = False
    return_url: bool = False


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

    def within(self, body: ListBody | None) -> Page:
        """Return this page with what the body asks for instead."""
        if body is None:
            return self
        return Page(body.limit or self.limit, body.cursor or self.cursor, body.offset or self.offset)


def _page(
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query()] = None,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
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
