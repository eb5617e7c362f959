"""`client.namespaces`: the isolation boundaries of an organization."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from mixpeek.client.addresses import segment
from mixpeek.client.aio.resource import Resource, walk
from mixpeek.client.records import Namespace, Page
from mixpeek.client.response import Response


class Namespaces(Resource):
    """Namespaces, by id or name."""

    async def create(self, namespace_name: str, **fields: Any) -> Namespace:
        """Create a namespace."""
        body = {"namespace_name": namespace_name, **fields}
        return await self._ask(Namespace, "POST", "/namespaces", body=body)

    async def get(self, namespace: str) -> Namespace:
        """Return one namespace."""
        return await self._ask(Namespace, "GET", f"/namespaces/{segment(namespace)}")

    async def list(
        self, *, limit: int | None = None, offset: int | None = None, cursor: str | None = None, **filters: Any
    ) -> Page[Namespace]:
        """Return one page: `results` and `pagination`."""
        return await self._page(Namespace, "/namespaces", limit=limit, offset=offset, cursor=cursor, body=filters)

    def iterate(
        self, *, limit: int | None = None, page_size: int | None = None, **filters: Any
    ) -> AsyncIterator[Namespace]:
        """Yield namespaces from all pages, `limit` at most."""
        return walk(lambda cursor: self.list(limit=page_size, cursor=cursor, **filters), limit)

    async def update(self, namespace: str, **fields: Any) -> Namespace:
        """Change what may change of a namespace, such as `namespace_name` and `description`."""
        return await self._ask(Namespace, "PATCH", f"/namespaces/{segment(namespace)}", body=fields)

    async def delete(self, namespace: str, *, force: bool = False) -> Response:
        """Delete a namespace; while it has collections, only with `force`, which deletes all that is in it."""
        return await self._transport.request(
            "DELETE", f"/namespaces/{segment(namespace)}", query={"force": True if force else None}
        )
