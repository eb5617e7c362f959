"""Executions of retrievers as a plain ASGI application, in front of the framework.

They are asked so often that what a framework does for a request would be much of what they cost. One whose caller and
namespace are remembered goes to its function at once; one that is seen for the first time, asks for more than
documents, or is wrong in any way, is left to the framework, which says what is wrong.
`routes.retriever_executions` declares the routes; here they keep what every route promises: the key check, the limits,
the envelope of every error, the request id.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial

from pydantic import ValidationError
from pydantic_core import from_json
from starlette.datastructures import State
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mixpeek import on_loop, tracing
from mixpeek.api.errors import answer_to
from mixpeek.api.middleware import new_request_id
from mixpeek.api.platform import Platform
from mixpeek.api.rate_limit import Limit
from mixpeek.logging import hiding, request_id
from mixpeek.retrieval.schemas import Execute, ExecuteAdHoc, ExecuteOptions
from mixpeek.tenancy.service import key_in

# The retriever is named, or comes with the request.
_PATH = re.compile(r"/v1/retrievers/(?:([^/]+)/)?execute")
# As many as the framework has for its own; its way of handing over to them took a tenth of a request.
_THREADS = ThreadPoolExecutor(40, thread_name_prefix="direct")
# Headers of which only the framework makes anything; a body without a length has no bound that is known beforehand.
_LEFT_TO_FRAMEWORK = frozenset({b"x-read-from", b"transfer-encoding"})

# (platform, namespace id, retriever or None for one that comes with the request, body): the answer as JSON.
Answer = Callable[[Platform, str, str | None, ExecuteOptions], bytes]


class Direct:
    """Answers executions that need nothing looked up first, and hands every other request on."""

    def __init__(self, app: ASGIApp, state: State, answer: Answer, max_body_bytes: int, limit: Limit | None) -> None:
        self._app = app
        self._state = state
        self._answer = answer
        self._max_body_bytes = max_body_bytes
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and not tracing.is_on():
            path = _PATH.fullmatch(scope["path"])
            if path is not None:
                await self._execute(path[1], scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _execute(self, identifier: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        platform: Platform = self._state.platform
        found = None if scope["query_string"] else self._remembered(platform, headers)
        if found is None:
            await self._app(scope, receive, send)
            return
        namespace_id, key = found
        received = await _whole(receive)
        body = _read(received, ExecuteAdHoc if identifier is None else Execute)
        if body is None:
            await self._app(scope, _again(received, receive), send)
            return
        limited, refusal = ([], None) if self._limit is None else self._limit.take(key)
        identity = new_request_id(scope)
        token = request_id.set(identity)
        try:
            with hiding():
                ask = partial(self._answer, platform, namespace_id, identifier, body)
                is_short = identifier is not None and platform.known_retrievers.recall(namespace_id, identifier)
                response = answer_to(refusal) if refusal else await _asked(ask, on_the_loop=bool(is_short))
        finally:
            request_id.reset(token)
        response.raw_headers += [*limited, (b"x-request-id", identity.encode())]
        await response(scope, receive, send)

    def _remembered(self, platform: Platform, headers: dict[bytes, bytes]) -> tuple[str, str] | None:
        """Return the namespace and the key of a request that asks for nothing besides an answer; else None."""
        if headers.get(b"content-type") != b"application/json" or not _LEFT_TO_FRAMEWORK.isdisjoint(headers):
            return None
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or int(length) > self._max_body_bytes:
            return None
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        key, namespace = key_in(authorization), headers.get(b"x-namespace", b"").decode("latin-1")
        caller = platform.keyring.recall(authorization) if key and namespace else None
        if key is None or caller is None or not caller.may("read"):
            return None
        namespace_id = platform.addresses.recall(caller, namespace)
        return None if namespace_id is None else (namespace_id, key)


async def _asked(ask: Callable[[], bytes], *, on_the_loop: bool) -> Response:
    try:
        content = await (_on_loop(ask) if on_the_loop else _in_thread(ask))
    except Exception as error:  # the edge of a request
        return answer_to(error)
    return Response(content, media_type="application/json")


async def _on_loop(ask: Callable[[], bytes]) -> bytes:
    """Execute what is short and only reads here, or from its beginning in a thread where it would have to block."""
    try:
        return await on_loop.run(ask)
    except on_loop.WouldBlock:
        return await _in_thread(ask)


async def _in_thread(ask: Callable[[], bytes]) -> bytes:
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(_THREADS, context.run, ask)


async def _whole(receive: Receive) -> Message:
    """Return a request's body as one message; or that its client has left."""
    message = await receive()
    parts = [message]
    while message.get("more_body"):
        message = await receive()
        parts.append(message)
    if message["type"] != "http.request" or len(parts) == 1:
        return message
    return {**message, "body": b"".join(part.get("body", b"") for part in parts)}


def _read(message: Message, model: type[ExecuteOptions]) -> ExecuteOptions | None:
    """Return the body of a request; None where it is wrong, or asks for more than documents."""
    try:
        body = model.model_validate(from_json(message.get("body", b"")))
    except (ValueError, ValidationError):
        return None
    return None if body.stream or body.return_presigned_urls else body


def _again(message: Message, receive: Receive) -> Receive:
    """Return what receives a message that was received already, then all that follow."""
    first: Message | None = message

    async def receive_again() -> Message:
        nonlocal first
        if first is None:
            return await receive()
        given, first = first, None
        return given

    return receive_again
