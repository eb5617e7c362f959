"""Synchronous code on the event loop: it waits, and the loop goes on."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest

from mixpeek import on_loop

TOLD: ContextVar[str] = ContextVar("told", default="nothing")


def wait_in_between(log: list[str], name: str, turn: asyncio.Event) -> str:
    def further_down() -> None:
        on_loop.wait_for(turn.wait())

    log.append(f"{name} begins")
    further_down()
    log.append(f"{name} ends")
    return name


def test_what_waits_lets_others_go_on() -> None:
    async def scenario() -> None:
        log: list[str] = []
        turn = asyncio.Event()

        waiting = [
            asyncio.create_task(on_loop.run(lambda name=name: wait_in_between(log, name, turn))) for name in "ab"
        ]
        await asyncio.sleep(0)
        log.append("the loop goes on")
        turn.set()

        assert await asyncio.gather(*waiting) == ["a", "b"]
        assert log == ["a begins", "b begins", "the loop goes on", "a ends", "b ends"]

    asyncio.run(scenario())


def test_errors_pass_both_ways() -> None:
    async def scenario() -> None:
        async def fail() -> None:
            raise KeyError("awaited")

        def catch() -> str:
            with pytest.raises(KeyError, match="awaited"):
                on_loop.wait_for(fail())
            raise ValueError("from within")

        with pytest.raises(ValueError, match="from within"):
            await on_loop.run(catch)

    asyncio.run(scenario())


def test_it_runs_in_a_copy_of_the_context_and_knows_where_it_is() -> None:
    async def scenario() -> None:
        TOLD.set("outside")

        def look() -> tuple[str, bool]:
            told = TOLD.get()
            TOLD.set("inside")
            return told, on_loop.is_here()

        assert await on_loop.run(look) == ("outside", True)
        assert (TOLD.get(), on_loop.is_here()) == ("outside", False)

    asyncio.run(scenario())


def test_a_cancelled_run_is_told_so_where_it_waits() -> None:
    async def scenario() -> None:
        ended: list[str] = []

        def wait() -> None:
            try:
                on_loop.wait_for(asyncio.Event().wait())
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        running = asyncio.create_task(on_loop.run(wait))
        await asyncio.sleep(0)
        running.cancel()

        with pytest.raises(asyncio.CancelledError):
            await running
        assert ended == ["cancelled"]

    asyncio.run(scenario())
