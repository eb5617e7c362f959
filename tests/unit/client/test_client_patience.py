"""What is sent again after a failure, how a wait asks, and how a batch is watched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from factories.local_server import Answer, LocalServer, refusal
from mixpeek import AsyncMixpeek, Mixpeek
from mixpeek.client import ApiError, ServerUnreachable, repeating
from mixpeek.client.aio import transport as aio_transport
from mixpeek.client.pacing import Pace
from mixpeek.client.sync import transport

BUSY = refusal(503, "InferenceServiceUnavailableError", "starting")
TASK = "GET /v1/tasks/task_1"
BATCH = "GET /v1/buckets/bkt_1/batches/btch_1"
EVENTS = f"{BATCH}/events"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses the client takes, without taking them."""
    taken: list[float] = []

    async def sleep(pause_s: float) -> None:
        taken.append(pause_s)

    monkeypatch.setattr(transport, "sleep", taken.append)
    monkeypatch.setattr(aio_transport, "sleep", sleep)
    return taken


def test_a_question_is_asked_again_while_the_server_starts(
    server: LocalServer, client: Mixpeek, pauses: list[float]
) -> None:
    server.on(TASK, BUSY, BUSY, {"status": "COMPLETED"})

    assert client.tasks.get("task_1").status == "COMPLETED"
    assert len(server.asked) == 3
    assert 0.1 <= pauses[0] <= 0.2 <= pauses[1] <= 0.4


def test_the_client_that_awaits_asks_again_too(server: LocalServer, pauses: list[float]) -> None:
    server.on(TASK, BUSY, {"status": "COMPLETED"})

    async def ask() -> str:
        async with AsyncMixpeek(base_url=server.url) as client:
            return (await client.tasks.get("task_1")).status

    assert asyncio.run(ask()) == "COMPLETED"
    assert len(pauses) == 1


def test_in_the_end_the_refusal_is_told(server: LocalServer, client: Mixpeek, pauses: list[float]) -> None:
    server.on(TASK, BUSY)

    with pytest.raises(ApiError, match="starting"):
        client.tasks.get("task_1")

    assert len(server.asked) == 3


def test_what_may_do_harm_twice_is_sent_once(server: LocalServer, client: Mixpeek, pauses: list[float]) -> None:
    server.on_any(BUSY)

    for call in (client.tasks.list, lambda: client.objects.create("bkt_1"), lambda: client.buckets.delete("bkt_1")):
        with pytest.raises(ApiError):
            call()

    assert server.routes() == [
        *["POST /v1/tasks/list"] * 3,
        "POST /v1/buckets/bkt_1/objects",
        "DELETE /v1/buckets/bkt_1",
    ]


def test_objects_that_skip_duplicates_may_arrive_twice(
    server: LocalServer, client: Mixpeek, pauses: list[float]
) -> None:
    route = "POST /v1/buckets/bkt_1/objects/batch"
    server.on(route, BUSY, {"succeeded_count": 2})

    client.objects.create_batch("bkt_1", [{"skip_duplicates": True}, {"skip_duplicates": True}])
    server.on(route, BUSY)
    with pytest.raises(ApiError):
        client.objects.create_batch("bkt_1", [{"skip_duplicates": True}, {}])

    assert len(server.asked) == 3


def test_a_server_that_asks_for_patience_gets_it_within_limits(
    server: LocalServer, client: Mixpeek, pauses: list[float]
) -> None:
    def limited(seconds: str) -> Answer:
        answer = refusal(429, "TooManyRequestsError", "slow down")
        return Answer(answer.body, 429, {"Retry-After": seconds})

    server.on("POST /v1/buckets/bkt_1/objects", limited("7"), {"object_id": "obj_1"})
    server.on(TASK, limited("3600"))

    client.objects.create("bkt_1")
    with pytest.raises(ApiError, match="slow down"):
        client.tasks.get("task_1")

    assert pauses == [7.0]


def test_without_retries_nothing_is_sent_twice(server: LocalServer, pauses: list[float]) -> None:
    server.on(TASK, BUSY)

    with Mixpeek(base_url=server.url, max_retries=0) as client, pytest.raises(ApiError):
        client.tasks.get("task_1")

    assert (len(server.asked), pauses) == (1, [])
    with pytest.raises(ValueError, match="max_retries"):
        Mixpeek(max_retries=-1)


@pytest.mark.parametrize(
    ("failure", "repeatable", "passes"),
    [
        (httpx.ConnectError("refused"), False, True),
        (httpx.ReadError("reset"), False, False),
        (httpx.ReadError("reset"), True, True),
        (httpx.RemoteProtocolError("closed"), True, True),
        (httpx.ReadTimeout("slow"), True, False),
        (503, True, True),
        (503, False, False),
        (429, False, True),
        (500, True, False),
        (404, True, False),
    ],
)
def test_which_failures_pass(failure: Any, repeatable: bool, passes: bool) -> None:
    assert repeating.passes(failure, repeatable=repeatable) is passes


def test_an_upload_that_breaks_off_is_sent_again_from_its_first_byte(
    server: LocalServer, client: Mixpeek, pauses: list[float]
) -> None:
    server.on("PUT /place", BUSY, Answer(b"", headers={"ETag": '"e"'}))

    etag = client._transport.put(f"{server.url}/place", b"x" * 600_000, "text/plain")

    assert etag == "e"
    assert [len(asked.content) for asked in server.asked] == [600_000, 600_000]


def test_a_wait_lets_the_server_hold_its_answer(server: LocalServer, client: Mixpeek) -> None:
    server.on(TASK, {"status": "IN_PROGRESS"}, {"status": "COMPLETED"})

    assert client.tasks.wait("task_1").status == "COMPLETED"
    assert [asked.query for asked in server.asked] == [{"wait": "20"}, {"wait": "20"}]


def test_a_wait_that_somebody_watches_or_that_is_short_is_held_for_less(server: LocalServer, client: Mixpeek) -> None:
    server.on(TASK, {"status": "COMPLETED"})

    client.tasks.wait("task_1", lambda _: None)
    client.tasks.wait("task_1", timeout_s=5.9)
    client.tasks.wait("task_1", poll_s=0)

    assert [asked.query.get("wait") for asked in server.asked] == ["2", "5", None]


def test_a_server_that_cannot_hold_its_answer_is_asked_again_and_again(server: LocalServer, client: Mixpeek) -> None:
    unknown = refusal(422, "ValidationError", "Unknown parameter")
    server.on(TASK, unknown, {"status": "IN_PROGRESS"}, {"status": "COMPLETED"})

    async def wait() -> str:
        async with AsyncMixpeek(base_url=server.url) as twin:
            return (await twin.tasks.wait("task_1")).status

    assert client.tasks.wait("task_1").status == "COMPLETED"
    assert asyncio.run(wait()) == "COMPLETED"
    assert [asked.query.get("wait") for asked in server.asked] == ["20", None, None, "20"]


def test_pauses_grow_and_an_answer_that_was_held_needs_none() -> None:
    pace = Pace(None, is_watched=False)

    pauses = [pace.pause_s(0.0) for _ in range(12)]

    assert pauses[0] == 0.1
    assert all(one <= other for one, other in pairwise(pauses))
    assert pauses[-1] == 2.0
    assert pace.pause_s(20.0) == 0.0
    assert Pace(0.5, is_watched=False).pause_s(20.0) == 0.5


def events(*told: dict[str, Any]) -> Answer:
    text = "".join(f"id: {number}\ndata: {json.dumps(each)}\n\n" for number, each in enumerate(told))
    return Answer((": here\n\n" + text).encode(), headers={"Content-Type": "text/event-stream"})


def statuses(batches: Iterator[Any]) -> list[tuple[str, int]]:
    return [(batch.status, batch.progress.written) for batch in batches]


def batch(status: str, written: int) -> dict[str, Any]:
    return {"batch_id": "btch_1", "status": status, "progress": {"written": written}}


def test_a_batch_is_watched_by_its_events_and_its_end_is_asked_for(server: LocalServer, client: Mixpeek) -> None:
    server.on(BATCH, batch("PENDING", 0), {**batch("COMPLETED", 9), "error_summary": {}})
    told = [batch("IN_PROGRESS", 4), batch("IN_PROGRESS", 4), {"progress": {"written": 8}}, {"status": "COMPLETED"}]
    server.on(EVENTS, events(*told))

    seen = statuses(client.batches.watch("bkt_1", "btch_1"))

    assert seen == [("PENDING", 0), ("IN_PROGRESS", 4), ("IN_PROGRESS", 8), ("COMPLETED", 9)]
    assert server.routes() == [BATCH, EVENTS, BATCH]


def test_a_batch_without_events_is_asked_about_until_it_ends(server: LocalServer, client: Mixpeek) -> None:
    server.on(BATCH, batch("PENDING", 0), batch("PENDING", 0), batch("FAILED", 0))

    async def watch() -> list[str]:
        async with AsyncMixpeek(base_url=server.url) as twin:
            return [each.status async for each in twin.batches.watch("bkt_1", "btch_1", poll_s=0)]

    assert statuses(client.batches.watch("bkt_1", "btch_1")) == [("PENDING", 0), ("FAILED", 0)]
    assert server.routes() == [BATCH, EVENTS, BATCH, BATCH]
    assert asyncio.run(watch()) == ["FAILED"]


def test_a_wait_for_a_server_that_is_gone_ends(client: Mixpeek) -> None:
    with Mixpeek(base_url="http://127.0.0.1:9", max_retries=0) as nowhere, pytest.raises(ServerUnreachable):
        list(nowhere.batches.watch("bkt_1", "btch_1"))
