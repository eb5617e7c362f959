"""The inference route as a plain ASGI application, in front of everything else.

A request whose key, namespace and plugin were seen within the last second is answered from memory: no database, no
thread, one validation. `routes.inference` declares the route; here it keeps what every route promises: the key check,
the limits, the envelope of every error, the request id.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mixpeek.api.errors import answer_to, respond
from mixpeek.api.inference_call import Call, Head, spoken, wanted_in
from mixpeek.api.middleware import BodyTooLarge
from mixpeek.api.platform import Platform
from mixpeek.api.rate_limit import Limit
from mixpeek.errors import AccessError, InvalidRequest, MixpeekError
from mixpeek.logging import request_id
from mixpeek.serving.replica import Answer, Asker
from mixpeek.serving.replica_set import ReplicaSet
from mixpeek.tenancy.models import Principal
from mixpeek.tenancy.service import key_in

PATH = "/v1/inference"
PARENT, LEAF = "/v1/namespaces/", "/inference"

# (the set that was asked, HTTP status, seconds, requests that shared the call); the set is None where none was reached.
Observe = Callable[[ReplicaSet | None, int, float, int], None]


def observe_nothing(target: ReplicaSet | None, status: int, seconds: float, batch: int) -> None:
    """Take note of one answered request: where metrics are kept, they are kept by another function."""


class ClientLeft(Exception):
    """The client closed its connection before it had sent the whole request: nobody waits for an answer."""


class Inference:
    """Answers the inference route, and hands every other request on."""

    def __init__(
        self,
        app: ASGIApp,
        state: State,
        max_body_bytes: int,
        limit: Limit | None = None,
        observe: Observe = observe_nothing,
    ) -> None:
        self._app = app
        self._state = state
        self._platform: Platform | None = None
        self.max_body_bytes = max_body_bytes
        self._limit = limit
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            path = scope["path"]
            if path == PATH:
                await self._answer(scope, receive, send, None)
                return
            if path.startswith(PARENT) and path.endswith(LEAF) and path.count("/") == 4:
                await self._answer(scope, receive, send, path[len(PARENT) : -len(LEAF)])
                return
        await self._app(scope, receive, send)

    def begin(self, call: Call, body: bytes, asker: Asker) -> bool:
        """Send a request on at once; return False, having done nothing, if the database must be asked about it first.

        Raises: MixpeekError: the request is refused.
        """
        head, platform = call.head, self._platform
        if platform is None:  # asked of the state once, not each time
            platform = self._platform = self._state.platform
        if head.key_hash is None or head.query or not head.namespace:
            return False
        caller = platform.keyring.recall_hash(head.key_hash)
        if caller is None or not caller.may("read"):
            return False
        namespace_id = platform.addresses.recall(caller, head.namespace)
        if namespace_id is None:
            return False
        try:
            wanted = wanted_in(body)
        except InvalidRequest:
            return False  # it costs a token all the same, which is not taken yet
        route = platform.replicas.table.find(namespace_id, wanted)
        if route is None or route.tap is not None:
            return False
        if self._limit is not None:
            self._take_token(self._limit, call)
        target = route.pick()
        call.aim(target, wanted)
        target.ask(body, asker)
        return True

    def refusal(self, error: Exception, call: Call) -> Response:
        """Return the answer that tells an error; one that nobody foresaw is logged with its trace."""
        token = request_id.set(call.request_id)
        try:
            # A queue that is full refuses thousands a second: what is foreseen is told to who asked, not to the log.
            response = respond(error) if isinstance(error, MixpeekError) else answer_to(error)
        finally:
            request_id.reset(token)
        for name, value in (*call.headers, (b"x-request-id", call.request_id.encode())):
            response.headers[name.decode()] = value.decode()
        return response

    def note(self, call: Call, status: int) -> None:
        """Hear how a request was answered."""
        self._observe(call.target, status, time.perf_counter() - call.began, call.batch)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, namespace: str | None) -> None:
        call = Call(Head(scope["headers"], scope["query_string"], namespace))
        token = request_id.set(call.request_id)
        try:
            try:
                answer = await self._ask(self._state.platform, call, receive)
            except ClientLeft:
                return
            except Exception as error:  # the edge of a request
                response = self.refusal(error, call)
                status = response.status_code
                await response(scope, receive, send)
            else:
                status = 200
                _, own, body = call.answered(answer)
                headers = spoken(answer.served, call.feature)[2] + own
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": body})
        finally:
            request_id.reset(token)
        self.note(call, status)

    async def _ask(self, platform: Platform, call: Call, receive: Receive) -> Answer:
        head = call.head
        if self._limit is not None:
            self._take_token(self._limit, call)
        keyring = platform.keyring
        caller = None if head.key_hash is None else keyring.recall_hash(head.key_hash)
        if caller is None:
            caller = await run_in_threadpool(keyring.authenticate, head.authorization)
        if not caller.may("read"):
            raise AccessError(f"Key {caller.name!r} may not read here", hint="Use a key with the `read` permission")
        namespace_id = await _namespace_id(platform, caller, head.named_namespace())
        body = await self._read(receive, head.content_length)
        wanted = wanted_in(body)
        route = platform.replicas.table.find(namespace_id, wanted)
        target = await platform.replicas.locate(namespace_id, wanted) if route is None else route.pick()
        call.aim(target, wanted)
        answering = target.submit(body)
        if route is not None and route.tap is not None:
            route.tap(body, answering)
        return await answering

    @staticmethod
    def _take_token(limit: Limit, call: Call) -> None:
        """Count a request against the limit of its key; raise TooManyRequests."""
        key = key_in(call.head.authorization)
        if key is not None:
            headers, refusal = limit.take(key)
            call.headers += headers
            if refusal is not None:
                raise refusal

    async def _read(self, receive: Receive, announced: int) -> bytes:
        if announced > self.max_body_bytes:
            raise BodyTooLarge(f"{announced} bytes were announced")
        parts: list[bytes] = []  # joined once: adding to bytes copies all that is there, each time
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            part = message.get("body", b"")
            size += len(part)
            if size > self.max_body_bytes:
                raise BodyTooLarge
            parts.append(part)
            more = message.get("more_body", False)
        return parts[0] if len(parts) == 1 else b"".join(parts)


async def _namespace_id(platform: Platform, caller: Principal, identifier: str) -> str:
    found = platform.addresses.recall(caller, identifier)
    if found is None:
        found = await run_in_threadpool(platform.addresses.find, caller, identifier)
    return found
