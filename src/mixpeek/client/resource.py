"""What all resources of the client share: a transport, and one way to page through a list."""

from __future__ import annotations

from typing import Any

from mixpeek.client.response import Response
from mixpeek.client.transport import Transport, segment
from mixpeek.errors import InvalidRequest


class Resource:
    """One kind of thing that the server keeps."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _list(
        self, path: str, limit: int | None, offset: int | None, cursor: str | None, body: Any, **more: Any
    ) -> Response:
        query = {"limit": limit, "offset": offset, "cursor": cursor, **more}
        return self._transport.request("POST", f"{path}/list", query=query, body=body or {})

    def _namespace_path(self, namespace: str | None) -> str:
        chosen = namespace or self._transport.namespace
        if not chosen:
            raise InvalidRequest(
                "No namespace is given, and what is asked for belongs to one",
                hint="Set MIXPEEK_NAMESPACE, or pass `namespace` (in the shell, `--namespace`)",
            )
        return f"/namespaces/{segment(chosen)}"


def without_none(**fields: Any) -> dict[str, Any]:
    """Return the fields that were given: one left at None is left to the server's default."""
    return {name: value for name, value in fields.items() if value is not None}
