"""Waiting for a task: woken by its end, by the time, or by a server that stops; never missed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from mixpeek.workflows.tasks import Task
from mixpeek.workflows.waiting import Waiters

OPEN = Task(
    "task_1", None, "org", "t", "w", "IN_PROGRESS", {}, {}, {}, None, datetime.now(UTC), datetime.now(UTC)
)  # fmt: skip
ENDED = replace(OPEN, status="COMPLETED")
LONG_S = 30.0


class Stored:
    """A task that ends when told, and who asked for it how often."""

    def __init__(self) -> None:
        self.task = OPEN
        self.asked = 0
        self.was_asked = asyncio.Event()

    async def find(self) -> Task:
        self.asked += 1
        if self.asked == 2:  # once before and once after joining
            self.was_asked.set()
        return self.task


def test_a_wait_ends_when_the_task_does() -> None:
    async def walk() -> Task:
        stored, waiters = Stored(), Waiters()
        waiting = asyncio.create_task(waiters.wait(stored.find, LONG_S))
        await stored.was_asked.wait()
        waiters.note("task_of_others")
        stored.task = ENDED
        waiters.note("task_1")
        return await waiting

    assert asyncio.run(walk()) is ENDED


def test_an_end_between_the_first_look_and_the_listening_is_not_missed() -> None:
    async def walk() -> Task:
        looks = iter([OPEN, ENDED])

        async def find() -> Task:
            return next(looks)

        return await Waiters().wait(find, LONG_S)

    assert asyncio.run(walk()) is ENDED


def test_a_wait_ends_with_its_time_and_says_how_the_task_stands() -> None:
    assert asyncio.run(Waiters().wait(Stored().find, 0.01)) is OPEN


def test_news_that_may_have_been_missed_have_everybody_look_again() -> None:
    async def walk() -> Task:
        stored, waiters = Stored(), Waiters()
        waiting = asyncio.create_task(waiters.wait(stored.find, LONG_S))
        await stored.was_asked.wait()
        stored.task = ENDED
        waiters.note("")
        return await waiting

    assert asyncio.run(walk()) is ENDED


def test_a_server_that_stops_answers_everybody_and_nobody_waits_any_more() -> None:
    async def walk() -> tuple[list[Task], Task]:
        stored, waiters = Stored(), Waiters()
        waiting = [asyncio.create_task(waiters.wait(stored.find, LONG_S)) for _ in range(5)]
        await stored.was_asked.wait()
        waiters.close()
        return await asyncio.gather(*waiting), await waiters.wait(stored.find, LONG_S)

    assert asyncio.run(walk()) == ([OPEN] * 5, OPEN)


def test_one_too_many_is_answered_at_once() -> None:
    async def walk() -> Task:
        return await Waiters(most=0).wait(Stored().find, LONG_S)

    assert asyncio.run(walk()) is OPEN
