"""`client.buckets` and `client.objects`: schema-checked containers and what is put into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mixpeek.client.resource import Resource
from mixpeek.client.response import Response
from mixpeek.client.transport import segment


class Buckets(Resource):
    """Buckets, by id or name."""

    def create(self, bucket_name: str, bucket_schema: Mapping[str, Any], **fields: Any) -> Response:
        """Create a bucket; `bucket_schema` is `{"properties": {field: {"type": ...}}}`."""
        body = {"bucket_name": bucket_name, "bucket_schema": dict(bucket_schema), **fields}
        return self._transport.request("POST", "/buckets", body=body)

    def get(self, bucket_id: str) -> Response:
        """Return one bucket."""
        return self._transport.request("GET", f"/buckets/{segment(bucket_id)}")

    def list(
        self, *, limit: int | None = None, offset: int | None = None, cursor: str | None = None, **filters: Any
    ) -> Response:
        """Return one page: `results` and `pagination`."""
        return self._list("/buckets", limit, offset, cursor, filters)


class Objects(Resource):
    """Objects of a bucket."""

    def create(
        self,
        bucket_id: str,
        blobs: Sequence[Mapping[str, Any]] = (),
        *,
        policy: str | None = None,
        **fields: Any,
    ) -> Response:
        """Add one object.

        Args:
            blobs: `{"property", "type", "data"}` each.
            policy: insert, update or upsert, for a bucket with a unique key.
            fields: values of the bucket's schema, and `key_prefix` and the like.
        """
        body = {"blobs": list(blobs), **fields}
        return self._transport.request(
            "POST", f"/buckets/{segment(bucket_id)}/objects", body=body, query={"policy": policy}
        )

    def create_batch(self, bucket_id: str, objects: Sequence[Mapping[str, Any]]) -> Response:
        """Add many objects at once; the answer lists `succeeded` and `failed`, each failure with its index."""
        body = {"objects": list(objects)}
        return self._transport.request("POST", f"/buckets/{segment(bucket_id)}/objects/batch", body=body)

    def get(self, bucket_id: str, object_id: str) -> Response:
        """Return one object."""
        return self._transport.request("GET", f"/buckets/{segment(bucket_id)}/objects/{segment(object_id)}")

    def list(
        self,
        bucket_id: str,
        *,
        limit: int | None = None,
        offset: int | None = None,
        cursor: str | None = None,
        **filters: Any,
    ) -> Response:
        """Return one page: `results` and `pagination`."""
        return self._list(f"/buckets/{segment(bucket_id)}/objects", limit, offset, cursor, filters)
