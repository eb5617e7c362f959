"""`client.retrievers`: named queries, and searches without one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mixpeek.client.addresses import segment
from mixpeek.client.aio.resource import Resource, walk, without_none
from mixpeek.client.answers import error_told
from mixpeek.client.files import data_uri_of
from mixpeek.client.records import Page
from mixpeek.client.response import Response, response_from, responses_from

# A stage may take its time; more than a plugin is given to answer it hardly does.
_SILENCE_S = 120.0


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

    async def update(self, retriever_id: str, **fields: Any) -> Response:
        """Change a retriever's `retriever_name`, `description`, `tags` or `display_config`; its stages never change."""
        return await self._transport.request("PATCH", f"/retrievers/{segment(retriever_id)}", body=fields)

    async def clone(self, retriever_id: str, retriever_name: str, **fields: Any) -> Response:
        """Create a retriever like this one, with `stages` or whatever else is given in place of its own."""
        return await self._transport.request(
            "POST", f"/retrievers/{segment(retriever_id)}/clone", body={"retriever_name": retriever_name, **fields}
        )

    async def delete(self, retriever_id: str) -> Response:
        """Delete a retriever; what it searches stays."""
        return await self._transport.request("DELETE", f"/retrievers/{segment(retriever_id)}")

    async def versions(self, retriever_id: str) -> Response:
        """Return what a retriever was called and described as: `results`, the current version first."""
        return await self._transport.request("GET", f"/retrievers/{segment(retriever_id)}/versions")

    async def execute(
        self,
        retriever_id: str,
        inputs: Mapping[str, Any],
        *,
        pagination: Mapping[str, Any] | None = None,
        return_vectors: bool = False,
        return_presigned_urls: bool = False,
    ) -> Response:
        """Run a retriever; `documents` come best first, each with its `score`."""
        return await self._transport.request(
            "POST",
            f"/retrievers/{segment(retriever_id)}/execute",
            body=without_none(inputs=dict(inputs), pagination=pagination),
            query={"return_vectors": return_vectors or None, "return_presigned_urls": return_presigned_urls or None},
            repeatable=True,
        )

    async def stream(self, retriever_id: str, inputs: Mapping[str, Any]) -> AsyncIterator[Response]:
        """Yield what happens when a retriever runs: its `event_type`, and with the last one the whole answer.

        Raises: ApiError: the execution failed, after the events of what went well.
        """
        async with self._transport.stream(
            f"/retrievers/{segment(retriever_id)}/execute",
            method="POST",
            body={"inputs": dict(inputs), "stream": True},
            silence_s=_SILENCE_S,
        ) as sent:
            async for event in sent:
                if event is None:
                    continue
                body = response_from(event.data)
                if event.kind == "execution_error":
                    raise error_told(body["error"])
                yield body

    async def explain(self, retriever_id: str, inputs: Mapping[str, Any] | None = None) -> Response:
        """Return what running a retriever would do, and what its stages took so far."""
        return await self._transport.request(
            "POST",
            f"/retrievers/{segment(retriever_id)}/execute/explain",
            body={"inputs": dict(inputs or {})},
            repeatable=True,
        )

    async def execute_ad_hoc(
        self,
        stages: Sequence[Mapping[str, Any]],
        inputs: Mapping[str, Any],
        *,
        collection_identifiers: Sequence[str] = (),
        input_schema: Mapping[str, Any] | None = None,
        pagination: Mapping[str, Any] | None = None,
        return_vectors: bool = False,
    ) -> Response:
        """Run stages that are not kept."""
        return await self._transport.request(
            "POST",
            "/retrievers/execute",
            body=without_none(
                collection_identifiers=list(collection_identifiers),
                input_schema=dict(input_schema or {}),
                stages=list(stages),
                inputs=dict(inputs),
                pagination=pagination,
            ),
            query={"return_vectors": return_vectors or None},
            repeatable=True,
        )

    async def search(
        self,
        query: str | Path,
        collections: Sequence[str],
        *,
        limit: int = 10,
        mode: Literal["hybrid", "vector", "text"] = "hybrid",
        filters: Mapping[str, Any] | None = None,
        return_vectors: bool = False,
    ) -> Response:
        """Search collections for words: by meaning, by the words themselves, or both fused; or for what a file is like.

        Args: query: words, or the path of a picture, a sound, a clip or a document, which its vector is compared of.
        """
        features = {"hybrid": ("*", "*/text"), "vector": ("*",), "text": ("*/text",)}[mode]
        asked: Any = "{{INPUT.query}}"
        if isinstance(query, Path):
            # Words say nothing about a file.
            features, asked, query = ("*",), {"input_mode": "content", "value": asked}, data_uri_of(query)
        fetched = max(limit, 100)
        searches = [{"feature_uri": each, "query": asked, "top_k": fetched} for each in features]
        config: dict[str, Any] = {
            "stage_id": "feature_search",
            "parameters": {"searches": searches, "final_top_k": limit},
        }
        if filters:
            config["pre_filters"] = dict(filters)
        return await self.execute_ad_hoc(
            [{"stage_name": "search", "config": config}],
            {"query": query},
            collection_identifiers=collections,
            input_schema={"query": {"type": "text", "required": True}},
            return_vectors=return_vectors,
        )

    async def stages(self) -> Sequence[Response]:
        """Return the stages there are, each with the schema of its parameters."""
        return responses_from(await self._transport.get_bytes("/retrievers/stages", "application/json"))
