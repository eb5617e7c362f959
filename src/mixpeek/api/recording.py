"""Audit at the edge: tells the database whose request it is, and records changes that were asked for and refused.

Changes that were made are recorded by the database itself, in their own transaction.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import psycopg
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mixpeek import tracing
from mixpeek.api.access import name_actor, permission_of
from mixpeek.api.platform import Platform
from mixpeek.audit.queries import insert_refusal
from mixpeek.db.origin import Origin, origin
from mixpeek.errors import Unauthorized
from mixpeek.logging import request_id

log = logging.getLogger(__name__)


class Recorder:
    """Keeps the origin of each request, and records refused writes before their answer is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        client = scope.get("client")
        cause = Origin(
            ip_address=client[0] if client else None,
            user_agent=_printable(headers.get(b"user-agent", b"")),
            request_id=request_id.get(),
            traceparent=tracing.traceparent(),
        )
        token = origin.set(cause)

        async def send_recorded(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_refusal(message["status"]) and _is_write(scope):
                authorization = headers.get(b"authorization", b"").decode("latin-1")
                await run_in_threadpool(_record, scope, cause, authorization, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_recorded)
        finally:
            origin.reset(token)


def _is_refusal(status: int) -> bool:
    # 502 to 504 say that a part of the platform is away, most likely the one that would keep the record.
    return 400 <= status <= 500


def _is_write(scope: Scope) -> bool:
    route = scope.get("route")
    if scope["method"] in ("GET", "HEAD", "OPTIONS") or not isinstance(route, APIRoute):
        return False
    return permission_of(route.dependant) not in (None, "read")


def _record(scope: Scope, cause: Origin, authorization: str, status: int) -> None:
    platform: Platform = scope["app"].state.platform
    try:
        if cause.actor_id is None:  # refused before its key was looked at, as when the body is no JSON
            with contextlib.suppress(Unauthorized):
                name_actor(cause, platform.keyring.authenticate(authorization))
        if cause.actor_id is None:
            return
        action, _, resource_type = scope["route"].endpoint.__name__.partition("_")
        with platform.database.transaction() as connection:
            insert_refusal(
                connection,
                cause,
                action=action,
                resource_type=resource_type,
                resource_id=_resource_id(scope["path_params"]),
                status="refused" if status < 500 else "failed",
                details={"method": scope["method"], "path": _printable(scope["path"].encode()), "http_status": status},
            )
    except psycopg.Error:
        # Where the database is away there is nothing to record into; the caller is to hear its own error, not this one.
        log.exception("a refused request could not be recorded")


def _resource_id(path_params: dict[str, Any]) -> str | None:
    """Return the innermost resource that a path names; the namespace it lies in has a column of its own."""
    named = [str(value) for name, value in path_params.items() if name != "namespace_id"]
    named = named or [str(value) for value in path_params.values()]
    return _printable(named[-1].encode()) if named else None


def _printable(value: bytes) -> str:
    return "".join(character for character in value.decode("utf-8", "replace") if character.isprintable())[:300]
