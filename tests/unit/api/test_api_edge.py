"""The edge around every route: request ids, the cap on bodies, pages and the error envelope."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from factories.answers import refusal
from mixpeek.api import errors
from mixpeek.api.middleware import RequestEnvelope
from mixpeek.api.paging import ListedPage, ListRequest, Page, wire_page
from mixpeek.errors import InvalidRequest, PluginRaised, ServiceUnavailable

LIMIT = 100


def small_app() -> FastAPI:
    app = FastAPI()
    app.add_middleware(RequestEnvelope, max_body_bytes=LIMIT)
    errors.install(app)

    @app.post("/echo")
    def echo(body: dict[str, Any]) -> dict[str, Any]:
        return body

    @app.get("/unavailable")
    def unavailable() -> None:
        raise ServiceUnavailable

    @app.get("/plugin")
    def plugin() -> None:
        raise PluginRaised("it broke", frames=[{"file": "core.py", "line": 1}])

    @app.get("/bug")
    def bug() -> None:
        raise ZeroDivisionError

    return app


def ask(method: str, path: str, **request: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(small_app(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **request)

    return asyncio.run(once())


def test_every_answer_has_an_id_of_its_own() -> None:
    first, second = (ask("POST", "/echo", json={}).headers["X-Request-Id"] for _ in range(2))

    assert first != second
    assert first.startswith("req_")


@pytest.mark.parametrize(("given_", "kept"), [("mine", True), ("x" * 100, True), ("x" * 101, False), ("", False)])
def test_an_id_that_was_sent_is_kept_while_it_is_short(given_: str, kept: bool) -> None:
    answer = ask("POST", "/echo", json={}, headers={"X-Request-Id": given_})

    assert (answer.headers["X-Request-Id"] == given_) == kept


def test_a_body_over_the_cap_is_413_when_announced() -> None:
    refusal(ask("POST", "/echo", content=b"x" * (LIMIT + 1)), 413, "BadRequestError")


def test_a_body_over_the_cap_is_413_when_it_just_goes_on() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(LIMIT):
            yield b'"xx",'

    answer = ask("POST", "/echo", content=endless(), headers={"Content-Type": "application/json"})

    refusal(answer, 413, "BadRequestError")


def test_a_body_at_the_cap_is_read() -> None:
    content = b'{"a": "' + b"x" * (LIMIT - 9) + b'"}'

    assert ask("POST", "/echo", content=content, headers={"Content-Type": "application/json"}).status_code == 200


def test_an_error_of_ours_is_named_and_can_be_tried_again() -> None:
    answer = ask("GET", "/unavailable")

    refusal(answer, 503, "InferenceServiceUnavailableError")
    assert answer.headers["Retry-After"]


def test_a_plugins_fault_carries_its_own_frames() -> None:
    error = refusal(ask("GET", "/plugin"), 500, "FeatureExtractionError")

    assert error["code"] == "plugin.raised"
    assert error["details"]["frames"] == [{"file": "core.py", "line": 1}]


def test_an_unexpected_error_is_an_envelope_too_and_tells_nothing_of_the_inside() -> None:
    answer = ask("GET", "/bug")

    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "InternalServerError"
    assert "ZeroDivision" not in answer.text


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(1, 5))
def test_the_cursor_of_a_full_page_leads_behind_its_last_key(key: str, size: int) -> None:
    full = wire_page(Page(size, None), list(range(size)), key)["pagination"]["next_cursor"]
    short = wire_page(Page(size + 1, None), list(range(size)), key)["pagination"]["next_cursor"]

    assert Page(size, full).after == key
    assert short is None


@pytest.mark.parametrize("cursor", ["!", "a", "_w==", "é"])
def test_a_cursor_of_someone_elses_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        _ = Page(10, cursor).after


def test_what_the_body_asks_for_beats_the_query() -> None:
    listed = ListedPage(Page(100, None), with_total=False)

    assert listed.query(None).limit == 100
    assert listed.query(ListRequest(limit=5)).limit == 5


@pytest.mark.parametrize("limit", [0, -1, 10_001, 10**9])
def test_a_limit_no_page_can_have_is_refused_not_bent(limit: int) -> None:
    with pytest.raises(ValidationError):
        ListRequest(limit=limit)
