"""`client.collections`: documents, and the recipe that makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixpeek.client.resource import Resource
from mixpeek.client.response import Response
from mixpeek.client.transport import segment


class Collections(Resource):
    """Collections, by id or name."""

    def create(
        self,
        collection_name: str,
        source: Mapping[str, Any],
        feature_extractor: Mapping[str, Any],
        **fields: Any,
    ) -> Response:
        """Create a collection.

        Args:
            source: `{"type": "bucket", "bucket_ids": [...]}`.
            feature_extractor: `{"feature_extractor_name", "version", "parameters", "input_mappings", ...}`.
        """
        body = {
            "collection_name": collection_name,
            "source": dict(source),
            "feature_extractor": dict(feature_extractor),
            **fields,
        }
        return self._transport.request("POST", "/collections", body=body)

    def get(self, collection_id: str) -> Response:
        """Return one collection."""
        return self._transport.request("GET", f"/collections/{segment(collection_id)}")

    def list(
        self, *, limit: int | None = None, offset: int | None = None, cursor: str | None = None, **filters: Any
    ) -> Response:
        """Return one page: `results` and `pagination`."""
        return self._list("/collections", limit, offset, cursor, filters)

    def trigger(self, collection_id: str, **fields: Any) -> Response:
        """Run the extractor over the collection's source; the answer names `batch_id` and `task_id`."""
        return self._transport.request("POST", f"/collections/{segment(collection_id)}/trigger", body=fields)
