"""Rate limits: what a bucket allows, and what the middleware answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from mixpeek.api.rate_limit import MOST_BUCKETS, Buckets, Limit, RateLimit


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_rested_key_may_send_a_burst_and_then_waits_for_the_refill() -> None:
    clock = Clock()
    buckets = Buckets(60, 3, clock=clock)

    burst = [buckets.take("a").allowed for _ in range(4)]
    clock.now += 1.0
    later = [buckets.take("a").allowed for _ in range(2)]

    assert burst == [True, True, True, False]
    assert later == [True, False]


def test_each_key_has_a_bucket_of_its_own() -> None:
    buckets = Buckets(1, clock=Clock())

    assert buckets.take("a").allowed
    assert not buckets.take("a").allowed
    assert buckets.take("b").allowed


def test_a_refusal_says_when_to_come_back() -> None:
    clock = Clock()
    buckets = Buckets(6, 1, clock=clock)
    buckets.take("a")

    refused = buckets.take("a")
    clock.now += refused.retry_after_s

    assert refused.retry_after_s == 10
    assert buckets.take("a").allowed


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 120), st.integers(1, 20))
def test_no_key_ever_gets_more_than_its_burst_and_the_refill(waits: list[float], rate: int, burst: int) -> None:
    clock = Clock()
    buckets = Buckets(rate, burst, clock=clock)

    allowed = 0
    for wait in waits:
        clock.now += wait
        verdict = buckets.take("a")
        allowed += verdict.allowed
        assert 0 <= verdict.remaining <= burst

    assert allowed <= burst + sum(waits) * rate / 60 + 1e-6


def test_keys_that_nobody_uses_do_not_fill_the_memory() -> None:
    buckets = Buckets(60, clock=Clock())

    for number in range(MOST_BUCKETS + 10):
        buckets.take(str(number))

    assert len(buckets._buckets) == MOST_BUCKETS


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def send_all(app: Callable[..., Any], *keys: str | None) -> list[httpx.Response]:
    async def requests() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return [
                await client.get("/v1/buckets", headers={"Authorization": f"Bearer {key}"} if key else {})
                for key in keys
            ]

    return asyncio.run(requests())


def test_answers_say_what_is_left_and_a_refusal_is_the_documented_429() -> None:
    first, second, third = send_all(RateLimit(answer, Limit(2)), "sk_a", "sk_a", "sk_a")

    assert [first.status_code, second.status_code, third.status_code] == [200, 200, 429]
    assert [r.headers["X-RateLimit-Remaining"] for r in (first, second, third)] == ["1", "0", "0"]
    assert first.headers["X-RateLimit-Limit"] == "2"
    assert int(third.headers["X-RateLimit-Reset"]) > 0
    assert int(third.headers["Retry-After"]) >= 1
    error = third.json()["error"]
    assert error["type"] == "TooManyRequestsError"
    assert {"limit", "window", "retry_after"} <= set(error["details"])


def test_requests_without_a_key_are_left_alone() -> None:
    answers = send_all(RateLimit(answer, Limit(1)), None, None, None)

    assert [one.status_code for one in answers] == [200, 200, 200]
    assert "X-RateLimit-Limit" not in answers[0].headers
