"""`client.retrievers`: named queries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from mixpeek.client.addresses import segment
from mixpeek.client.aio.resource import Resource, walk, without_none
from mixpeek.client.records import Page
from mixpeek.client.response import Response


class Retrievers(Resource):
    """Retrievers, by id or name."""

    async def create(
        self,
        retriever_name: str,
        stages: Sequence[Mapping[str, Any]],
        *,
        collection_identifiers: Sequence[str] = (),
        input_schema: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Response:
        """Create a retriever; the answer carries it under `retriever`, and `retriever_id` beside it."""
        body = {
            "retriever_name": retriever_name,
            "collection_identifiers": list(collection_identifiers),
            "input_schema": dict(input_schema or {}),
            "stages": list(stages),
            **fields,
        }
        return await self._transport.request("POST", "/retrievers", body=body)

    async def get(self, retriever_id: str) -> Response:
        """Return one retriever."""
        return await self._transport.request("GET", f"/retrievers/{segment(retriever_id)}")

    async def list(
        self, *, limit: int | None = None, offset: int | None = None, cursor: str | None = None, **filters: Any
    ) -> Page[Response]:
        """Return one page: `results` and `pagination`."""
        return await self._page(Response, "/retrievers", limit=limit, offset=offset, cursor=cursor, body=filters)

    def iterate(
        self, *, limit: int | None = None, page_size: int | None = None, **filters: Any
    ) -> AsyncIterator[Response]:
        """Yield retrievers from all pages, `limit` at most."""
        return walk(lambda cursor: self.list(limit=page_size, cursor=cursor, **filters), limit)

    async def execute(
        self,
        retriever_id: str,
        inputs: Mapping[str, Any],
        *,
        pagination: Mapping[str, Any] | None = None,
        return_vectors: bool = False,
    ) -> Response:
        """Run a retriever; `documents` come best first, each with its `score`."""
        return await self._transport.request(
            "POST",
            f"/retrievers/{segment(retriever_id)}/execute",
            body=without_none(inputs=dict(inputs), pagination=pagination),
            query={"return_vectors": return_vectors or None},
        )
