"""Executions in front of the framework: which are answered there, how, and that all others are handed on whole."""

from __future__ import annotations

import asyncio
import json
import threading
from types import SimpleNamespace
from typing import Any, cast

import httpx
import psycopg
import pytest
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from mixpeek import on_loop
from mixpeek.api.direct import Answer, Direct
from mixpeek.api.rate_limit import Limit
from mixpeek.errors import NotFound
from mixpeek.retrieval.schemas import ExecuteAdHoc, ExecuteOptions
from mixpeek.tenancy.models import Principal

PATH = "/v1/retrievers/ret_1/execute"
HEADERS = {"authorization": "Bearer sk_known", "x-namespace": "texts", "content-type": "application/json"}
STAGES = [{"stage_name": "few", "config": {"stage_id": "limit", "parameters": {"limit": 1}}}]


def echo(platform: Any, namespace_id: str, identifier: str | None, body: ExecuteOptions) -> bytes:
    told = {"namespace": namespace_id, "retriever": identifier, "is_ad_hoc": isinstance(body, ExecuteAdHoc)}
    return json.dumps({**told, "inputs": body.inputs}).encode()


def failing(error: Exception) -> Answer:
    def fail(*_: Any) -> bytes:
        raise error

    return fail


def place(*_: Any) -> bytes:
    return json.dumps({"on_loop": on_loop.is_here(), "thread": threading.current_thread().name}).encode()


def place_in_thread(*_: Any) -> bytes:
    if on_loop.is_here():
        raise on_loop.WouldBlock
    return place()


async def framework(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer what was handed on with what its body holds."""
    handed_on = await Request(scope, receive).body()
    await JSONResponse({"handed_on": handed_on.decode()}, 202)(scope, receive, send)


def asked(
    path: str = PATH,
    *,
    content: str = '{"inputs": {"query": "cat"}}',
    answer: Answer = echo,
    limit: Limit | None = None,
    permissions: tuple[str, ...] = ("read",),
    method: str = "POST",
    times: int = 1,
    is_short: bool = False,
    **headers: str,
) -> httpx.Response:
    """Return the last answer to some requests of a key and a namespace that are remembered."""
    caller = Principal("org_1", "key_1", "some key", permissions)
    keyring = SimpleNamespace(recall=lambda given: caller if given == HEADERS["authorization"] else None)
    addresses = SimpleNamespace(recall=lambda _, name: "ns_1" if name == "texts" else None)
    known = SimpleNamespace(recall=lambda *_: is_short or None)
    platform = SimpleNamespace(keyring=keyring, addresses=addresses, known_retrievers=known)
    state = State({"platform": platform})
    app = Direct(framework, state, answer, 1000, limit)
    given = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(cast("Any", app))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answers = [await client.request(method, path, content=content, headers=given) for _ in range(times)]
        return answers[-1]

    return asyncio.run(ask())


def test_an_execution_of_whom_is_remembered_is_answered_at_once() -> None:
    answer = asked(x_request_id="mine")

    assert answer.json() == {
        "namespace": "ns_1",
        "retriever": "ret_1",
        "is_ad_hoc": False,
        "inputs": {"query": "cat"},
    }
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, "mine")
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_what_comes_with_the_request_is_executed_too() -> None:
    content = json.dumps({"collection_identifiers": ["col_1"], "stages": STAGES, "inputs": {}})

    answer = asked("/v1/retrievers/execute", content=content)

    assert (answer.json()["retriever"], answer.json()["is_ad_hoc"]) == (None, True)
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "different",
    [
        {"method": "GET"},
        {"path": "/v1/retrievers/ret_1"},
        {"path": PATH + "?return_vectors=true"},
        {"authorization": "Bearer sk_unknown"},
        {"authorization": "Basic sk_known"},
        {"permissions": ()},
        {"x_namespace": "elsewhere"},
        {"x_read_from": "primary"},
        {"content_type": "text/plain"},
        {"content": "{"},
        {"content": '"text"'},
        {"content": '{"inputs": 1}'},
        {"content": '{"inputz": {}}'},
        {"content": '{"stream": true}'},
        {"content": '{"return_presigned_urls": true}'},
        {"content": json.dumps({"inputs": {"query": "x" * 1000}})},
    ],
    ids=str,
)
def test_every_other_request_is_handed_on_with_all_of_its_body(different: dict[str, Any]) -> None:
    answer = asked(**different)

    assert answer.status_code == 202
    assert answer.json()["handed_on"] == different.get("content", '{"inputs": {"query": "cat"}}')


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("retriever", "ret_1"), 404, "request.not_found"),
        (psycopg.OperationalError("gone"), 503, "platform.unavailable"),
        (psycopg.DataError("a NUL"), 422, "request.invalid"),
        (RuntimeError("a bug"), 500, "platform.failed"),
    ],
)
def test_an_error_has_the_envelope_of_every_other(error: Exception, status: int, code: str) -> None:
    answer = asked(answer=failing(error), x_request_id="mine")

    told = answer.json()
    assert (answer.status_code, told["success"], told["error"]["code"]) == (status, False, code)
    assert (told["error"]["details"]["request_id"], answer.headers["x-request-id"]) == ("mine", "mine")
    assert answer.headers.get("retry-after") == ("2" if status == 503 else None)


def test_a_key_that_asks_too_often_is_refused_and_every_other_told_how_much_is_left() -> None:
    first, third = asked(limit=Limit(60, 2)), asked(limit=Limit(60, 2), times=3)

    assert (first.status_code, first.headers["x-ratelimit-remaining"]) == (200, "1")
    assert (third.status_code, third.json()["error"]["type"]) == (429, "TooManyRequestsError")
    assert third.headers["retry-after"] == "1"


def test_a_request_that_is_handed_on_costs_nothing_here() -> None:
    limit = Limit(60, 1)

    asked(limit=limit, content="{")

    assert asked(limit=limit).status_code == 200


@pytest.mark.parametrize(
    ("path", "retriever"),
    [
        ("/v1/retrievers/ret_1/execute", "ret_1"),
        ("/v1/retrievers/execute/execute", "execute"),
        ("/v1/retrievers/ret_1/execute/explain", None),
        ("/v1/retrievers//execute", None),
        ("/v1/retrievers/a/b/execute", None),
        ("/v1/retrievers/ret_1/reexecute", None),
        ("/v1/collections/col_1/execute", None),
    ],
)
def test_only_an_executions_path_is_answered_and_names_its_retriever(path: str, retriever: str | None) -> None:
    assert asked(path).json().get("retriever") == retriever


def test_behind_a_proxy_too_an_execution_is_answered_at_once() -> None:
    assert asked(x_forwarded_for="10.0.0.1", x_forwarded_proto="https").status_code == 200


def test_a_short_execution_runs_on_the_loop_and_any_other_in_a_thread() -> None:
    short, other = asked(answer=place, is_short=True), asked(answer=place)

    assert short.json() == {"on_loop": True, "thread": threading.main_thread().name}
    assert (other.json()["on_loop"], other.json()["thread"].split("_")[0]) == (False, "direct")


def test_what_would_have_to_wait_on_the_loop_is_begun_again_in_a_thread() -> None:
    answer = asked(answer=place_in_thread, is_short=True)

    assert (answer.json()["on_loop"], answer.json()["thread"].split("_")[0]) == (False, "direct")


def test_an_error_on_the_loop_has_the_envelope_of_every_other() -> None:
    answer = asked(answer=failing(NotFound("retriever", "ret_1")), is_short=True)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "request.not_found")
