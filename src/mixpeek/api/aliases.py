"""The nested spelling of routes, `/v1/namespaces/{namespace}/buckets/…`, as some documents and clients write it.

It is read as the flat route with `X-Namespace`, before anything else looks at the request: there is one route, one
permission and one description of each, and the nested spelling cannot come to differ.
"""

from __future__ import annotations

from urllib.parse import quote

from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/v1/namespaces/"
# What has flat routes; plugins, models, extractors and inference live under their namespace by themselves.
NESTED = frozenset({"buckets", "collections", "retrievers", "tasks"})


class NamespaceAliases:
    """Turns the nested spelling into the flat one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = flat_address(scope["path"]) if scope["type"] == "http" else None
        if found is not None:
            namespace, path = found
            kept = [(name, value) for name, value in scope["headers"] if name != b"x-namespace"]
            headers = [*kept, (b"x-namespace", namespace.encode("latin-1", "replace"))]
            scope = {**scope, "path": path, "raw_path": quote(path).encode(), "headers": headers}
        await self._app(scope, receive, send)


def flat_address(path: str) -> tuple[str, str] | None:
    """Return the namespace and the flat path of a nested one, None for any other path."""
    if not path.startswith(PREFIX):
        return None
    namespace, _, rest = path.removeprefix(PREFIX).partition("/")
    return (namespace, f"/v1/{rest}") if namespace and rest.partition("/")[0] in NESTED else None
