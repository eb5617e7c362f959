"""What all resources of the client share: a transport, typed answers, and one way to walk through pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

from mixpeek.client.addresses import segment
from mixpeek.client.aio.transport import Transport
from mixpeek.client.records import Page, page_of
from mixpeek.client.response import Response
from mixpeek.errors import InvalidRequest

Kind = TypeVar("Kind", bound=Response)


class Resource:
    """One kind of thing that the server keeps."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _ask(self, kind: type[Kind], method: str, path: str, **request: Any) -> Kind:
        """Return what `/v1{path}` answers as `kind`; `request` as for `Transport.request`."""
        return kind(await self._transport.request(method, path, **request))

    async def _page(
        self,
        kind: type[Kind],
        path: str,
        *,
        limit: int | None,
        cursor: str | None,
        offset: int | None = None,
        body: Mapping[str, Any] | None = None,
        **query: Any,
    ) -> Page[Kind]:
        """Return one page of the list of `path`."""
        asked = {"limit": limit, "offset": offset, "cursor": cursor, **query}
        answer = await self._transport.request("POST", f"{path}/list", query=asked, body=body or {}, repeatable=True)
        return page_of(kind, answer)

    def _namespace_path(self, namespace: str | None) -> str:
        chosen = namespace or self._transport.namespace
        if not chosen:
            raise InvalidRequest(
                "No namespace is given, and what is asked for belongs to one",
                hint="Set MIXPEEK_NAMESPACE, or pass `namespace` (in the shell, `--namespace`)",
            )
        return f"/namespaces/{segment(chosen)}"


async def walk(
    page_at: Callable[[str | None], Awaitable[Page[Kind]]], limit: int | None, cursor: str | None = None
) -> AsyncIterator[Kind]:
    """Yield the items of page after page, `limit` at most; a page is asked for when the one before is used up."""
    left = limit
    while left is None or left > 0:
        page = await page_at(cursor)
        for item in page.results[:left]:
            yield item
        left = None if left is None else left - len(page.results)
        cursor = page.next_cursor
        if cursor is None:
            return


async def walk_by_offset(
    page_at: Callable[[int | None, str | None], Awaitable[Page[Kind]]], page_size: int, limit: int | None
) -> AsyncIterator[Kind]:
    """Do as `walk` for a list that may be paged by `offset`: a full page without a cursor may have another behind it.

    Args: page_at: is given the offset and the cursor of a page, of which one at most is set.
    """
    seen = 0
    offset: int | None = None
    cursor: str | None = None
    while limit is None or seen < limit:
        page = await page_at(offset, cursor)
        for item in page.results[: None if limit is None else limit - seen]:
            yield item
        seen += len(page.results)
        cursor = page.next_cursor
        offset = seen if cursor is None else None
        if cursor is None and len(page.results) < page_size:
            return


def without_none(**fields: Any) -> dict[str, Any]:
    """Return the fields that were given: one left at None is left to the server's default."""
    return {name: value for name, value in fields.items() if value is not None}
