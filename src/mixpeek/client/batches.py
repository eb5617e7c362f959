"""`client.batches`: sets of objects on their way through the extractors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixpeek.client.resource import Resource
from mixpeek.client.response import Response
from mixpeek.client.transport import segment


class Batches(Resource):
    """Batches of a bucket."""

    def create(self, bucket_id: str, object_ids: Sequence[str], **fields: Any) -> Response:
        """Create a batch of these objects; nothing runs before `submit`."""
        body = {"object_ids": list(object_ids), **fields}
        return self._transport.request("POST", f"/buckets/{segment(bucket_id)}/batches", body=body)

    def submit(self, bucket_id: str, batch_id: str, **fields: Any) -> Response:
        """Start a batch; the answer names the `task_id` to wait for."""
        return self._transport.request("POST", f"{_path(bucket_id, batch_id)}/submit", body=fields)

    def get(self, bucket_id: str, batch_id: str) -> Response:
        """Return one batch, with its progress and its errors."""
        return self._transport.request("GET", _path(bucket_id, batch_id))


def _path(bucket_id: str, batch_id: str) -> str:
    return f"/buckets/{segment(bucket_id)}/batches/{segment(batch_id)}"
