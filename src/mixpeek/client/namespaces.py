"""`client.namespaces`: the isolation boundaries of an organization."""

from __future__ import annotations

from typing import Any

from mixpeek.client.resource import Resource
from mixpeek.client.response import Response
from mixpeek.client.transport import segment


class Namespaces(Resource):
    """Namespaces, by id or name."""

    def create(self, namespace_name: str, **fields: Any) -> Response:
        """Create a namespace."""
        return self._transport.request("POST", "/namespaces", body={"namespace_name": namespace_name, **fields})

    def get(self, namespace: str) -> Response:
        """Return one namespace."""
        return self._transport.request("GET", f"/namespaces/{segment(namespace)}")

    def list(
        self, *, limit: int | None = None, offset: int | None = None, cursor: str | None = None, **filters: Any
    ) -> Response:
        """Return one page: `results` and `pagination`."""
        return self._list("/namespaces", limit, offset, cursor, filters)

    def delete(self, namespace: str, *, force: bool = False) -> Response:
        """Delete a namespace; while it has collections, only with `force`, which deletes all that is in it."""
        return self._transport.request(
            "DELETE", f"/namespaces/{segment(namespace)}", query={"force": True if force else None}
        )
