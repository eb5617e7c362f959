"""A replica set over hosts that answer, hang and end when the test says so: the queue, retries, draining, back-off."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mixpeek.deployments.serve_plan import ServePlan
from mixpeek.errors import (
    HostLost,
    PluginCrashed,
    PluginError,
    PluginOutOfMemory,
    PluginRaised,
    PluginReplyInvalid,
    PluginTimedOut,
)
from mixpeek.execution.port import Awaiting, Told
from mixpeek.serving.errors import InferenceUnavailable
from mixpeek.serving.replica import Answer, Served
from mixpeek.serving.replica_set import MOST_LOST, ReplicaSet, Started
from mixpeek.serving.tally import Tally

SERVED = Served("ns", "words_1_0_0", "words", "1.0.0", "abc", "mixpeek://words@1.0.0", {})
# One call runs and one is next: what a slow plugin is sent.
PLAN = ServePlan(batch_size=1, queue=4, timeout_s=10)


class StagedHost:
    """A host in this process: it holds what it was sent until the test says how that ends."""

    numbers = itertools.count(1)
    told: Told | None = None

    def __init__(self) -> None:
        self.pid = next(self.numbers)
        self.alive = True
        self.closed = False
        self.held: list[tuple[bytes, Awaiting, bool]] = []

    def post(self, body: bytes, answer: Awaiting, *, alone: bool = False, timeout_s: float = 15.0) -> None:
        self.held.append((body, answer, alone))

    @property
    def ended(self) -> str | None:
        return None if self.alive else "The plugin's host was killed by SIGKILL"

    @property
    def bodies(self) -> list[bytes]:
        return [body for body, _, _ in self.held]

    def answer(self, result: bytes = b'{"length":1}') -> None:
        _, answer, _ = self.held.pop(0)
        answer.set_result((1, result))

    def refuse(self, error: Exception) -> None:
        _, answer, _ = self.held.pop(0)
        answer.set_exception(error)  # type: ignore[arg-type]

    def end(self, reason: PluginError | None = None) -> None:
        """End as a killed process does: everything that was sent hears of it, in order."""
        self.alive = False
        held, self.held = self.held, []
        for _, answer, _ in held:
            answer.set_exception(reason or PluginCrashed("The plugin's host was killed by SIGKILL"))

    async def close(self) -> None:
        self.alive, self.closed = False, True


@dataclass
class Stage:
    """Starts staged hosts; with `faults`, the next ones fail to start."""

    batch_size: int = 1
    hosts: list[StagedHost] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    async def start(self) -> Started:
        await asyncio.sleep(0)
        if self.faults:
            raise self.faults.pop(0)
        self.hosts.append(StagedHost())
        return Started(self.hosts[-1], self.batch_size)  # type: ignore[arg-type]


def on_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a coroutine test on a loop of its own."""

    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 10))

    run.__name__ = test.__name__
    return run


async def opened(stage: Stage, plan: ServePlan = PLAN) -> ReplicaSet:
    made = ReplicaSet(SERVED, plan, stage.start)
    await made.open()
    return made


async def settled() -> None:
    """Let everything that is ready to run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def error_of(waiting: Awaitable[Answer]) -> Exception:
    with pytest.raises(Exception) as raised:
        await waiting
    return raised.value


@on_loop
async def test_an_answer_carries_its_version_and_the_hosts_own_bytes() -> None:
    stage = Stage()
    replicas = await opened(stage)

    asked = replicas.submit(b"{}")
    stage.hosts[0].answer(b'{"number":12345678901234567890123}')

    assert await asked == Answer(b'{"number":12345678901234567890123}', SERVED, 1)


@on_loop
async def test_a_result_that_is_not_strict_json_is_never_passed_on() -> None:
    stage = Stage()
    replicas = await opened(stage)

    for result in (b"NaN", b'{"a":', b'{"a":1}}', b"\xff", b""):
        asked = replicas.submit(b"{}")
        stage.hosts[0].answer(result)
        assert isinstance(await error_of(asked), PluginReplyInvalid)


@on_loop
async def test_requests_go_to_the_replica_with_the_fewest_and_the_rest_wait_in_order() -> None:
    stage = Stage()
    replicas = await opened(stage, replace(PLAN, initial=2, fewest=2, most=2))
    first, second = stage.hosts

    for number in range(6):
        replicas.submit(b"%d" % number)
    assert (first.bodies, second.bodies) == ([b"0", b"2"], [b"1", b"3"])
    assert replicas.describe()["requests_waiting"] == 2

    second.answer()
    assert second.bodies[:2] == [b"3", b"4"]


@on_loop
async def test_beyond_the_queue_a_request_is_refused_at_once() -> None:
    stage = Stage()
    replicas = await opened(stage)
    kept = [replicas.submit(b"%d" % number) for number in range(2 + PLAN.queue)]

    with pytest.raises(InferenceUnavailable, match="4 requests wait already") as refused:
        replicas.submit(b"one too many")
    for _ in kept:
        stage.hosts[0].answer()

    assert refused.value.retry_after_s >= 1
    assert len(await asyncio.gather(*kept)) == 6


@on_loop
async def test_what_was_in_line_when_a_host_ended_is_sent_on_and_only_the_running_call_is_suspect() -> None:
    stage = Stage()
    replicas = await opened(stage)
    running, next_one, waiting = (replicas.submit(body) for body in (b"running", b"next", b"waiting"))

    stage.hosts[0].end()
    await settled()

    assert stage.hosts[1].bodies == [b"next", b"running"]
    assert [alone for _, _, alone in stage.hosts[1].held] == [False, True]
    for _ in range(3):
        stage.hosts[1].answer()
    assert len(await asyncio.gather(running, next_one, waiting)) == 3
    assert replicas.describe()["restarts"] == 1
    assert replicas.describe()["last_error"] == "The plugin's host was killed by SIGKILL"


@on_loop
async def test_a_request_under_which_two_hosts_ended_is_not_sent_again() -> None:
    stage = Stage()
    replicas = await opened(stage)
    asked = replicas.submit(b"poison")

    for number in range(2):
        stage.hosts[number].end()
        await settled()

    assert isinstance(await error_of(asked), PluginCrashed)


@on_loop
async def test_a_host_stopped_over_a_limit_fails_only_the_call_that_went_over_it_again() -> None:
    stage = Stage()
    replicas = await opened(stage)
    greedy, behind = replicas.submit(b"greedy"), replicas.submit(b"behind")

    stage.hosts[0].end(PluginOutOfMemory("held 900 MiB"))
    await settled()
    stage.hosts[1].answer()
    stage.hosts[1].end(PluginOutOfMemory("held 900 MiB"))
    await settled()

    assert (await behind).result == b'{"length":1}'
    assert isinstance(await error_of(greedy), PluginOutOfMemory)


@on_loop
async def test_an_urgent_request_has_a_crashed_replica_started_at_once() -> None:
    stage = Stage()
    replicas = await opened(stage)
    stage.hosts[0].end()
    replicas._not_before = asyncio.get_running_loop().time() + 30

    with pytest.raises(InferenceUnavailable, match="keeps crashing"):
        replicas.submit(b"{}")
    asked = replicas.submit(b"{}", urgent=True)
    await settled()
    stage.hosts[1].answer()

    assert (await asked).result == b'{"length":1}'


@on_loop
async def test_of_a_shared_call_that_ended_its_host_each_request_is_tried_again_alone() -> None:
    stage = Stage(batch_size=3)
    replicas = await opened(stage, replace(PLAN, batch_size=3))
    asked = [replicas.submit(body) for body in (b"a", b"b", b"c", b"d")]

    stage.hosts[0].end()
    await settled()

    assert [(body, alone) for body, _, alone in stage.hosts[1].held] == [
        (b"d", False),
        (b"a", True),
        (b"b", True),
        (b"c", True),
    ]
    for _ in asked:
        stage.hosts[1].answer()
    assert len(await asyncio.gather(*asked)) == 4


@on_loop
async def test_an_error_of_the_plugin_is_its_answer_and_is_not_tried_again() -> None:
    stage = Stage()
    replicas = await opened(stage)
    asked, other = replicas.submit(b"bad"), replicas.submit(b"good")

    stage.hosts[0].refuse(PluginRaised("ValueError: no"))
    stage.hosts[0].answer()

    assert str(await error_of(asked)) == "ValueError: no"
    assert (await other).served is SERVED


@on_loop
async def test_time_is_up_for_a_waiting_request_as_503_and_for_a_running_one_as_a_timeout() -> None:
    stage = Stage()
    replicas = await opened(stage)
    running, _, waiting = (replicas.submit(b"{}") for _ in range(3))

    replicas.tick(asyncio.get_running_loop().time() + PLAN.timeout_s)

    assert isinstance(await error_of(running), PluginTimedOut)
    assert isinstance(await error_of(waiting), InferenceUnavailable)
    stage.hosts[0].answer()  # late: nobody waits, and nothing breaks
    assert replicas.describe()["requests_under_way"] == 1


@on_loop
async def test_draining_answers_everything_taken_before_the_hosts_end() -> None:
    stage = Stage()
    replicas = await opened(stage)
    asked = [replicas.submit(b"{}") for _ in range(4)]

    draining = asyncio.create_task(replicas.drain())
    for _ in asked:
        await settled()
        assert not stage.hosts[0].closed
        stage.hosts[0].answer()
    await draining

    assert len(await asyncio.gather(*asked)) == 4
    assert stage.hosts[0].closed


async def parted(stage: Stage) -> tuple[ReplicaSet, asyncio.Future[Answer], StagedHost]:
    """Return a set of one idle replica, and a request under way on another that is leaving, with its host."""
    replicas = await opened(stage, replace(PLAN, most=2, initial=2, timeout_s=1000))
    # Equally busy, the first one goes.
    asked, other = replicas.submit(b"late"), replicas.submit(b"{}")
    now = asyncio.get_running_loop().time()
    for later in (0.0, 200.0, 400.0):
        replicas.tick(now + later)
    await settled()
    assert replicas.describe()["replicas"] == 1
    assert not stage.hosts[0].closed
    stage.hosts[1].answer()
    await other
    return replicas, asked, stage.hosts[0]


@on_loop
async def test_draining_waits_for_a_replica_that_is_leaving() -> None:
    replicas, asked, leaving = await parted(Stage())

    draining = asyncio.create_task(replicas.drain())
    await settled()
    assert not leaving.closed
    leaving.answer()
    await draining

    assert (await asked).served is SERVED
    assert leaving.closed


@on_loop
async def test_draining_sends_on_what_a_host_that_has_just_died_had_taken() -> None:
    stage = Stage()
    replicas = await opened(stage)
    asked, behind = replicas.submit(b"{}"), replicas.submit(b"{}")

    stage.hosts[0].alive = False
    replicas.tick(asyncio.get_running_loop().time())  # it is buried before its requests hear of it
    draining = asyncio.create_task(replicas.drain())
    await settled()
    stage.hosts[0].end()
    await settled()
    for _ in (asked, behind):
        stage.hosts[1].answer()
        await settled()
    await draining

    assert len(await asyncio.gather(asked, behind)) == 2


@on_loop
async def test_draining_ends_when_a_leaving_host_takes_its_last_request_along() -> None:
    replicas, asked, leaving = await parted(Stage())
    asked.cancel()

    draining = asyncio.create_task(replicas.drain())
    await settled()
    assert not draining.done()
    leaving.end()

    await draining
    assert replicas.describe()["replicas"] == 0


@on_loop
async def test_time_is_up_for_a_request_on_a_replica_that_is_leaving_too() -> None:
    replicas, asked, _ = await parted(Stage())

    replicas.tick(asyncio.get_running_loop().time() + 1001)

    assert isinstance(await error_of(asked), PluginTimedOut)


@on_loop
async def test_closing_refuses_what_is_left() -> None:
    stage = Stage()
    replicas = await opened(stage)
    asked = [replicas.submit(b"{}") for _ in range(3)]

    closing = asyncio.create_task(replicas.close())
    await settled()
    stage.hosts[0].end()
    await closing

    assert {type(await error_of(each)) for each in asked} == {InferenceUnavailable}


@on_loop
async def test_closing_refuses_what_a_host_that_has_just_ended_handed_back() -> None:
    stage = Stage()
    replicas = await opened(stage)
    asked = [replicas.submit(b"{}") for _ in range(3)]

    stage.hosts[0].end()
    await replicas.close()
    await settled()

    assert [each.done() for each in asked] == [True] * 3
    assert {type(await error_of(each)) for each in asked} == {InferenceUnavailable}


@on_loop
async def test_a_first_replica_that_cannot_start_is_the_reason_that_opening_gives() -> None:
    stage = Stage(faults=[PluginRaised("RuntimeError: no weights here")])

    assert str(await error_of(opened(stage))) == "RuntimeError: no weights here"  # type: ignore[arg-type]


@on_loop
async def test_a_machine_that_is_lost_under_a_first_replica_is_no_reason_and_another_is_tried() -> None:
    stage = Stage(faults=[HostLost("The machine was lost"), HostLost("The machine was lost")])
    replicas = ReplicaSet(SERVED, PLAN, stage.start)
    opening = asyncio.create_task(replicas.open())
    waiting = replicas.submit(b"{}")

    for _ in range(2):
        await settled()
        assert not opening.done()
        replicas._not_before = 0.0
        replicas.tick(asyncio.get_running_loop().time())
    await opening
    stage.hosts[0].answer()

    assert (await waiting).served is SERVED


@on_loop
async def test_machines_that_are_lost_again_and_again_under_a_first_replica_are_the_reason_that_opening_gives() -> None:
    stage = Stage(faults=[HostLost("The machine was lost")] * MOST_LOST)
    replicas = ReplicaSet(SERVED, PLAN, stage.start)
    opening = asyncio.create_task(replicas.open())

    for _ in range(MOST_LOST):
        await settled()
        replicas._not_before = 0.0
        replicas.tick(asyncio.get_running_loop().time())

    assert str(await error_of(opening)) == "The machine was lost"  # type: ignore[arg-type]


@on_loop
async def test_sets_of_one_version_share_what_is_counted_and_tell_how_they_stand() -> None:
    tally = Tally()
    blue = ReplicaSet(SERVED, PLAN, (stage := Stage()).start, tally=tally)
    await blue.open()
    stage.faults.append(PluginRaised("RuntimeError: no weights here"))
    stage.hosts[0].end()
    blue.tick(0)
    await settled()
    green = ReplicaSet(SERVED, PLAN, (beside := Stage()).start, tally=tally)
    await green.open()
    asked = [green.submit(b"{}") for _ in range(3)]

    standing, before = green.stand(), blue.stand()

    assert (tally.restarts, tally.start_failures, sum(tally.starts.counts)) == (1, 1, 2)
    assert (standing.ready, standing.wanted, standing.starting) == (1, 1, 0)
    assert (standing.under_way, standing.waiting) == (2, 1)
    assert (before.ready, before.wanted, before.pids) == (0, 1, ())
    beside.hosts[0].pid, beside.hosts[0].told = 0, Told(7, 1000, 2.5)
    assert (green.stand().pids, green.stand().told) == ((), (Told(7, 1000, 2.5),))
    for _ in asked:
        beside.hosts[0].answer()
    await asyncio.gather(*asked)
    await asyncio.gather(green.close(), blue.close())
    assert green.stand().wanted == 0


@on_loop
async def test_replicas_that_keep_crashing_come_back_later_and_later_and_requests_are_told() -> None:
    stage = Stage()
    replicas = await opened(stage)
    now = asyncio.get_running_loop().time()

    for number in range(5):
        stage.hosts[number].end()
        replicas.tick(now)
        replicas._not_before = min(replicas._not_before, now) if number < 4 else replicas._not_before
        replicas.tick(now)
        await settled()

    assert replicas.describe()["restarts"] == 5
    assert len(stage.hosts) == 5, "the sixth waits"
    with pytest.raises(InferenceUnavailable, match="keeps crashing") as refused:
        replicas.submit(b"{}")
    assert refused.value.retry_after_s >= 3


@on_loop
async def test_a_set_on_demand_starts_with_its_first_request_and_passes_on_why_it_cannot() -> None:
    stage = Stage(faults=[PluginRaised("ImportError: no module")])
    replicas = ReplicaSet(SERVED, replace(PLAN, fewest=0), stage.start, on_demand=True)
    assert stage.hosts == []

    failed = replicas.submit(b"{}")
    assert str(await error_of(failed)) == "ImportError: no module"

    asked = replicas.submit(b"{}")
    replicas.tick(asyncio.get_running_loop().time())
    await settled()
    stage.hosts[0].answer()
    assert (await asked).served is SERVED


@on_loop
async def test_lasting_load_adds_a_replica_and_long_quiet_takes_it_away_once_it_is_idle() -> None:
    stage = Stage()
    replicas = await opened(stage, replace(PLAN, most=2, target_ongoing=1, timeout_s=1000))
    asked = [replicas.submit(b"{}") for _ in range(4)]
    now = asyncio.get_running_loop().time()

    for later in (0.0, 0.5, 1.1):
        replicas.tick(now + later)
    await settled()
    assert replicas.describe()["replicas"] == 2
    assert [len(host.held) for host in stage.hosts] == [2, 2]

    stage.hosts[0].answer()
    for later in (2.0, 70.0):  # two under way on the second, one on the first
        replicas.tick(now + later)
    for host in stage.hosts:
        while host.held:
            host.answer()
    for later in (80.0, 200.0):
        replicas.tick(now + later)
    await settled()
    assert replicas.describe()["replicas"] == 1
    assert sorted(host.closed for host in stage.hosts) == [False, True]
    assert [error for error in (each.exception() for each in asked) if error] == []


@on_loop
async def test_a_set_that_has_gone_to_zero_keeps_first_requests_until_a_replica_is_there() -> None:
    stage = Stage()
    replicas = await opened(stage, replace(PLAN, fewest=0, idle_s=60, queue=2))
    now = asyncio.get_running_loop().time()
    for later in (1.0, 62.0):
        replicas.tick(now + later)
    await settled()
    assert replicas.describe()["replicas"] == 0
    assert stage.hosts[0].closed

    asked = [replicas.submit(b"{}") for _ in range(2)]
    with pytest.raises(InferenceUnavailable):
        replicas.submit(b"one too many")
    await settled()
    for _ in asked:
        stage.hosts[1].answer()

    assert len(await asyncio.gather(*asked)) == 2
    assert replicas.describe()["restarts"] == 0
