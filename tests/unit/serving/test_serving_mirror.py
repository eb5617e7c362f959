"""What a shadow is shown, what is let go, and that a live answer never waits for either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from test_serving_replica_set import PLAN, SERVED, Stage, on_loop, opened, settled

from mixpeek.contract.manifest import Feature
from mixpeek.deployments import mirror as mirrors
from mixpeek.errors import PluginRaised
from mixpeek.serving.errors import InferenceUnavailable
from mixpeek.serving.mirror import MOST_AT_ONCE, Mirror
from mixpeek.serving.replica import Answer

VECTOR = Feature(feature_type="embedding", feature_name="vector", embedding_dim=2)
# A shadow that may be sent many at once.
WIDE = replace(PLAN, ahead=100, queue=100)


class Live:
    """Requests that the stable version is asked, each with its answer to come."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self.answering: list[asyncio.Future[Answer]] = []

    def ask(self, body: bytes = b"{}") -> asyncio.Future[Answer]:
        answering = asyncio.get_running_loop().create_future()
        self.mirror(body, answering)
        self.answering.append(answering)
        return answering

    async def answer(self, result: bytes = b'{"vector": [1, 0]}') -> None:
        """Answer what was asked."""
        for answering in self.answering:
            answering.set_result(Answer(result, SERVED, 1))
        self.answering.clear()
        await settled()


async def staged() -> tuple[Mirror, Live, Stage]:
    stage = Stage()
    mirror = Mirror(await opened(stage, WIDE), [VECTOR], "words_1_0_0")
    return mirror, Live(mirror), stage


def counts(mirror: Mirror) -> dict[str, Any]:
    report = mirror.report
    return {name: getattr(report, name) for name in ("mirrored", "compared", "alike", "dropped")}


@on_loop
async def test_a_request_is_mirrored_once_it_is_answered_and_both_answers_are_compared() -> None:
    mirror, live, stage = await staged()
    live.ask(b"one")
    before = list(stage.hosts[0].bodies)

    await live.answer(b'{"vector": [1, 0]}')
    mirrored = list(stage.hosts[0].bodies)
    stage.hosts[0].answer(b'{"vector": [0, 1]}')
    await settled()

    assert (before, mirrored) == ([], [b"one"])
    assert counts(mirror) == {"mirrored": 1, "compared": 1, "alike": 0, "dropped": 0}
    assert mirror.report.distances["vector"].largest == pytest.approx(1)


@on_loop
async def test_whoever_asked_has_the_answer_before_anything_is_sent_to_the_shadow() -> None:
    _, live, stage = await staged()
    sent: list[list[bytes]] = []

    async def ask() -> None:
        answering = live.ask(b"one")
        await answering
        sent.append(list(stage.hosts[0].bodies))

    asking = asyncio.create_task(ask())
    await settled()
    await live.answer()
    await asking

    assert sent == [[]]
    assert stage.hosts[0].bodies == [b"one"]


@on_loop
async def test_beyond_the_bounds_requests_are_dropped_and_counted() -> None:
    mirror, live, stage = await staged()
    for _ in range(MOST_AT_ONCE + 5):
        live.ask()

    await live.answer()
    held = len(stage.hosts[0].bodies)
    for _ in range(held):
        stage.hosts[0].answer(b'{"vector": [1, 0]}')
    await settled()
    live.ask()
    await live.answer()

    assert held == MOST_AT_ONCE
    assert counts(mirror) == {"mirrored": held, "compared": held, "alike": held, "dropped": 5}
    assert len(stage.hosts[0].bodies) == 1, "there is room again"


@on_loop
async def test_what_would_take_too_much_memory_is_dropped() -> None:
    mirror, live, stage = await staged()
    live.ask(b"x" * (mirrors.MOST_BYTES // 2))
    live.ask(b"x" * (mirrors.MOST_BYTES // 2))

    await live.answer()

    assert len(stage.hosts[0].bodies) == 1
    assert mirror.report.dropped == 1


@on_loop
async def test_a_mirrored_request_is_never_sent_twice() -> None:
    mirror, live, stage = await staged()
    live.ask()
    live.ask()
    await live.answer()

    stage.hosts[0].end()
    for _ in range(5):
        await settled()

    assert len(stage.hosts) == 2, "the host was replaced"
    assert stage.hosts[1].bodies == []
    assert mirror.report.errors == {"shadow": 2}
    assert mirror.report.shadow_codes == {"plugin.crashed": 2}


@on_loop
async def test_errors_are_counted_on_the_side_they_happen() -> None:
    mirror, live, stage = await staged()
    for _ in range(2):
        live.ask().set_exception(PluginRaised("ValueError: no"))
    live.answering.clear()
    live.ask()
    await live.answer()

    stage.hosts[0].refuse(PluginRaised("ValueError: neither"))
    stage.hosts[0].answer()
    stage.hosts[0].refuse(PluginRaised("ValueError: not mine"))
    await settled()

    assert mirror.report.errors == {"stable": 2, "shadow": 2, "both": 1}
    assert mirror.report.last_error == "ValueError: not mine"
    assert counts(mirror) == {"mirrored": 3, "compared": 0, "alike": 0, "dropped": 0}


@pytest.mark.parametrize(
    "end",
    [
        lambda answering: answering.cancel(),
        lambda answering: answering.set_exception(InferenceUnavailable("full")),
    ],
)
def test_a_request_that_no_version_answered_is_not_mirrored(end: Callable[[asyncio.Future[Answer]], Any]) -> None:
    async def test() -> None:
        mirror, live, stage = await staged()
        end(live.ask())
        await settled()
        assert (stage.hosts[0].bodies, mirror.report.dropped) == ([], 1)

    asyncio.run(test())


@on_loop
async def test_a_shadow_without_room_is_not_waited_for() -> None:
    stage = Stage()
    shadow = await opened(stage, replace(PLAN, queue=0))
    mirror = Mirror(shadow, [VECTOR], "words_1_0_0")
    live = Live(mirror)
    for _ in range(4):
        live.ask()

    await live.answer()

    assert len(stage.hosts[0].bodies) == 2
    assert mirror.report.dropped == 2


@on_loop
async def test_long_answers_are_compared_in_a_thread_and_enormous_ones_not_at_all() -> None:
    mirror, live, stage = await staged()
    for size in (mirrors.QUICK_BYTES, mirrors.MOST_COMPARED_BYTES):
        result = b'{"text": "' + b"x" * size + b'"}'
        live.ask()
        await live.answer(result)
        stage.hosts[0].answer(result)
        await settled()

    while not mirror.report.compared:  # noqa: ASYNC110  what a thread does has no event
        await asyncio.sleep(0.001)

    assert counts(mirror) == {"mirrored": 2, "compared": 1, "alike": 1, "dropped": 0}
    assert mirror.report.too_large == 1
    mirror.close()
