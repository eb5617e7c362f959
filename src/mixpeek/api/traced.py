"""A span around every HTTP request; put around the application only where the process traces."""

from __future__ import annotations

import re
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mixpeek import tracing

# Asked all the time, by machines, and of no interest to anyone who looks at traces.
_UNTRACED = ("/metrics", "/v1/health", "/v1/health/liveness")
# Answered before any route is looked for.
_NESTED = re.compile(r"/v1/namespaces/[^/]+/inference")


class Traced:
    """Traces each request: below the caller's span where a `traceparent` names one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNTRACED:
            await self._app(scope, receive, send)
            return
        parent = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1") or None
        told: dict[str, str | int] = {"http.request.method": scope["method"], "url.path": scope["path"]}
        with tracing.span(scope["method"], parent=parent, attributes=told, serves=True) as made:

            async def send_told(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _tell(made, scope, message)
                await send(message)

            await self._app(scope, receive, send_told)


def _tell(made: Any, scope: Scope, start: Message) -> None:
    status: int = start["status"]
    made.set_attribute("http.response.status_code", status)
    identifier = dict(start.get("headers", [])).get(b"x-request-id")
    if identifier is not None:
        made.set_attribute("mixpeek.request_id", identifier.decode("latin-1"))
    route = _route_of(scope)
    if route is not None:
        made.set_attribute("http.route", route)
        made.update_name(f"{scope['method']} {route}")
    if status >= 500:
        tracing.fail(made, f"HTTP {status}")


def _route_of(scope: Scope) -> str | None:
    """Return the route's path with its placeholders, None where none was found: names of spans are few."""
    if scope["path"] == "/v1/inference":
        return "/v1/inference"
    if _NESTED.fullmatch(scope["path"]):
        return "/v1/namespaces/{namespace_id}/inference"
    return getattr(scope.get("route"), "path", None)
