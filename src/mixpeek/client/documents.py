"""`client.documents`: what extractors made of the objects."""

from __future__ import annotations

from typing import Any

from mixpeek.client.resource import Resource
from mixpeek.client.response import Response
from mixpeek.client.transport import segment


class Documents(Resource):
    """Documents of a collection."""

    def list(
        self,
        collection_id: str,
        *,
        limit: int | None = None,
        offset: int | None = None,
        cursor: str | None = None,
        include_total: bool = False,
        **body: Any,
    ) -> Response:
        """Return one page: `results`, `pagination`, `stats`; `body` takes `filters`, `sort`, `return_vectors`, ..."""
        return self._list(
            f"/collections/{segment(collection_id)}/documents",
            limit,
            offset,
            cursor,
            body,
            include_total=include_total or None,
        )

    def get(self, collection_id: str, document_id: str, *, return_vectors: bool = False) -> Response:
        """Return one document."""
        path = f"/collections/{segment(collection_id)}/documents/{segment(document_id)}"
        return self._transport.request("GET", path, query={"return_vectors": return_vectors or None})
