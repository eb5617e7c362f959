"""What surrounds every request: an id that comes back in a header, and a cap on the body."""

from __future__ import annotations

import os
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mixpeek.api.errors import respond, unexpected
from mixpeek.errors import MixpeekError
from mixpeek.logging import hiding, request_id


class BodyTooLarge(MixpeekError):
    """The request body is larger than this server accepts."""

    status, type, code = 413, "BadRequestError", "request.body_too_large"
    hint = "Send less at once, or raise MIXPEEK_MAX_BODY_BYTES"


class HeadTooLarge(MixpeekError):
    """The head of the request is larger than this server accepts."""

    status, type, code = 431, "BadRequestError", "request.head_too_large"
    hint = "Send fewer or shorter headers, and a shorter address: 64 KiB in all"


class NotHttp(MixpeekError):
    """What was sent is no HTTP/1.1 request that could be read."""

    status, type, code = 400, "BadRequestError", "request.not_http"
    hint = (
        "Send plain HTTP/1.1, and leave `Content-Length` and `Transfer-Encoding` to a library; https:// ends at a proxy"
    )


class RequestEnvelope:
    """Gives each request its id and refuses bodies over the cap; signed uploads have a cap of their own."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identifier = new_request_id(scope)
        token = request_id.set(identifier)
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"x-request-id", identifier.encode())]
            await send(message)

        with hiding():
            try:
                if scope["path"].startswith("/v1/blobs/"):
                    await self._app(scope, receive, send_with_id)
                else:
                    await self._capped(scope, receive, send_with_id)
            except Exception as error:
                # Not in a handler of the application: it would answer outside of here, where the request has no id.
                if started:
                    raise
                await unexpected(error)(scope, receive, send_with_id)
            finally:
                request_id.reset(token)

    async def _capped(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_body_bytes:
            await respond(BodyTooLarge(f"{int(declared)} bytes were announced"))(scope, receive, send)
            return
        seen = 0

        async def receive_capped() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_body_bytes:
                raise BodyTooLarge
            return message

        async def send_unless_exceeded(message: Message) -> None:
            # Whoever was reading the body takes the exception for a broken body and would say so.
            if seen <= self._max_body_bytes:
                await send(message)

        await self._app(scope, receive_capped, send_unless_exceeded)
        if seen > self._max_body_bytes:
            await respond(BodyTooLarge())(scope, receive, send)


def new_request_id(scope: Scope) -> str:
    """Return the id of a request: its caller's, or one of ours."""
    return _given_id(scope) or f"req_{os.urandom(8).hex()}"


def _given_id(scope: Any) -> str | None:
    value = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"").decode("ascii", "ignore")
    return value if 0 < len(value) <= 100 and value.isprintable() else None
