"""The inference route as a plain ASGI application, in front of everything else.

A request whose key, namespace and plugin were seen within the last second is answered from memory: no database, no
thread, one validation. `routes.inference` declares the route; here it keeps what every route promises: the key check,
the limits, the envelope of every error, the request id.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import orjson
import psycopg
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from mixpeek.api.access import unknown_query
from mixpeek.api.errors import invalid_request, respond, unexpected
from mixpeek.api.middleware import BodyTooLarge
from mixpeek.api.platform import Platform
from mixpeek.api.rate_limit import Limit
from mixpeek.api.schemas.inference import AskInference
from mixpeek.deployments.replica import Answer, Served
from mixpeek.deployments.replica_set import ReplicaSet
from mixpeek.deployments.routing import Wanted, wanted_from_uri
from mixpeek.errors import AccessError, InvalidRequest, MixpeekError, NotFound, ServiceUnavailable
from mixpeek.logging import request_id
from mixpeek.tenancy.models import Principal
from mixpeek.tenancy.service import key_in

PATH = "/v1/inference"
PARENT, LEAF = "/v1/namespaces/", "/inference"
KEYS = frozenset(AskInference.model_fields)

# Unique without asking the system for random bytes each time.
_FIRST_HALF = secrets.token_hex(4)
_numbers = itertools.count(int.from_bytes(secrets.token_bytes(2)))

Headers = list[tuple[bytes, bytes]]
# (the set that was asked, HTTP status, seconds, requests that shared the call); the set is None where none was reached.
Observe = Callable[[ReplicaSet | None, int, float, int], None]


def observe_nothing(target: ReplicaSet | None, status: int, seconds: float, batch: int) -> None:
    """Take note of one answered request: where metrics are kept, they are kept by another function."""


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
        self._max_body_bytes = max_body_bytes
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

    async def _answer(self, scope: Scope, receive: Receive, send: Send, namespace: str | None) -> None:
        began = time.perf_counter()
        call = _Call(scope, namespace)
        token = request_id.set(call.request_id)
        try:
            try:
                answer, feature = await self._ask(self._state.platform, call, receive)
            except MixpeekError as error:
                status = await self._refuse(error, call, scope, receive, send)
            except psycopg.OperationalError:
                away = ServiceUnavailable("The database does not answer right now", hint="Send the request again")
                status = await self._refuse(away, call, scope, receive, send)
            except Exception as error:  # the edge of a request
                response = unexpected(error)
                response.headers["x-request-id"] = call.request_id
                await response(scope, receive, send)
                status = 500
            else:
                call.batch, status = answer.batch, 200
                await _send(send, answer, feature, call)
        finally:
            request_id.reset(token)
        self._observe(call.target, status, time.perf_counter() - began, call.batch)

    async def _ask(self, platform: Platform, call: _Call, receive: Receive) -> tuple[Answer, str | None]:
        if self._limit is not None and (key := key_in(call.authorization)) is not None:
            headers, refusal = self._limit.take(key)
            call.headers += headers
            if refusal is not None:
                raise refusal
        keyring = platform.keyring
        caller = keyring.recall(call.authorization)
        if caller is None:
            caller = await run_in_threadpool(keyring.authenticate, call.authorization)
        if not caller.may("read"):
            raise AccessError(f"Key {caller.name!r} may not read here", hint="Use a key with the `read` permission")
        namespace_id = await _namespace_id(platform, caller, call)
        body = await self._read(receive, call.content_length)
        wanted = _wanted(body)
        route = platform.replicas.table.find(namespace_id, wanted)
        target = await platform.replicas.locate(namespace_id, wanted) if route is None else route.pick()
        call.target = target
        feature = None if wanted.feature is None else _feature_uri(target, wanted.feature)
        answering = target.submit(body)
        if route is not None and route.tap is not None:
            route.tap(body, answering)
        return await answering, feature

    async def _read(self, receive: Receive, announced: int) -> bytes:
        if announced > self._max_body_bytes:
            raise BodyTooLarge(f"{announced} bytes were announced")
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes:
                raise BodyTooLarge
        if len(body) > self._max_body_bytes:
            raise BodyTooLarge
        return body

    @staticmethod
    async def _refuse(error: MixpeekError, call: _Call, scope: Scope, receive: Receive, send: Send) -> int:
        response = respond(error)
        for name, value in (*call.headers, (b"x-request-id", call.request_id.encode())):
            response.headers[name.decode()] = value.decode()
        await response(scope, receive, send)
        return error.status


class _Call:
    """What the head of one request says, and what is known of it when it has been answered."""

    __slots__ = (
        "authorization", "batch", "content_length", "headers", "is_nested", "namespace", "query", "request_id",
        "target",
    )  # fmt: skip

    def __init__(self, scope: Scope, namespace: str | None) -> None:
        self.authorization: str | None = None
        self.content_length = 0
        self.namespace = namespace
        self.is_nested = namespace is not None
        self.query: bytes = b""
        self.target: ReplicaSet | None = None
        self.batch = 0
        self.headers: Headers = []
        given = ""
        for name, value in scope["headers"]:
            if name == b"authorization":
                self.authorization = value.decode("latin-1")
            elif name == b"x-namespace" and namespace is None:
                self.namespace = value.decode("latin-1")
            elif name == b"content-length" and value.isdigit():
                self.content_length = int(value)
            elif name == b"x-request-id":
                given = value.decode("ascii", "ignore")
        if scope["query_string"]:
            self.query = scope["query_string"]
        is_usable = 0 < len(given) <= 100 and given.isprintable()
        self.request_id = given if is_usable else f"req_{_FIRST_HALF}{next(_numbers):08x}"


async def _namespace_id(platform: Platform, caller: Principal, call: _Call) -> str:
    identifier = call.namespace
    if call.query:
        identifier = _namespace_in_query(call, identifier)
    if not identifier:
        raise InvalidRequest("No namespace was named", hint="Send the header `X-Namespace: <namespace id or name>`")
    found = platform.addresses.recall(caller, identifier)
    if found is None:
        found = await run_in_threadpool(platform.addresses.find, caller, identifier)
    return found


def _namespace_in_query(call: _Call, given: str | None) -> str | None:
    known: set[str] = set() if call.is_nested else {"namespace"}
    query = dict(parse_qsl(call.query.decode("latin-1"), keep_blank_values=True))
    for name in query:
        if name not in known:
            raise unknown_query(name, known)
    return given or query.get("namespace")


def _wanted(body: bytes) -> Wanted:
    """Return which plugin a body asks; raise InvalidRequest for one that the schema does not allow."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        fault = {"type": "json_invalid", "loc": ("body", error.pos), "msg": f"JSON decode error: {error.msg}"}
        raise invalid_request([fault]) from error
    name = asked.get("inference_name") if type(asked) is dict else None
    # The common case at a glance; the model judges, and words, all others.
    if (
        type(name) is not str
        or not 0 < len(name) <= 200
        or asked.keys() - KEYS
        or type(asked.get("inputs")) is not dict
        or asked.get("feature_uri") is not None
        or type(asked.get("parameters") or {}) is not dict
    ):
        return _checked(asked)
    return Wanted(name)


def _checked(asked: Any) -> Wanted:
    try:
        request = AskInference.model_validate(asked)
        return Wanted(request.inference_name) if request.inference_name else wanted_from_uri(request.feature_uri or "")
    except ValidationError as error:
        lines = [{**line, "loc": ("body", *line["loc"])} for line in error.errors(include_url=False)]
        raise invalid_request(lines) from error
    except ValueError as error:
        line = {"type": "value_error", "loc": ("body", "feature_uri"), "msg": f"Not a feature URI: {error}"}
        raise invalid_request([line]) from error


def _feature_uri(target: ReplicaSet, feature: str) -> str:
    served = target.served
    if feature not in served.features:
        known = ", ".join(served.features.values()) or "none"
        raise NotFound("feature", feature, hint=f"{served.plugin_id} has: {known}")
    return served.features[feature]


@lru_cache(maxsize=1024)
def _spoken(served: Served, feature: str | None) -> tuple[bytes, Headers]:
    """Return what every answer of a version begins with, and its headers."""
    head = orjson.dumps(
        {
            "status": "success",
            "inference_name": served.plugin_id,
            "feature_uri": feature or served.feature_uri,
            "version": served.version,
            "code_hash": served.code_hash,
        }
    )
    headers = [
        (b"content-type", b"application/json"),
        (b"x-plugin-version", served.version.encode()),
        (b"x-code-hash", served.code_hash.encode()),
    ]
    return head[:-1] + b',"output":', headers


async def _send(send: Send, answer: Answer, feature: str | None, call: _Call) -> None:
    head, headers = _spoken(answer.served, feature)
    body = b"%b%b}" % (head, answer.result)
    own = [(b"content-length", b"%d" % len(body)), (b"x-request-id", call.request_id.encode())]
    if answer.batch > 1:
        own.append((b"x-batch-size", b"%d" % answer.batch))
    await send({"type": "http.response.start", "status": 200, "headers": headers + own + call.headers})
    await send({"type": "http.response.body", "body": body})
