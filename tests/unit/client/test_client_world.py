"""Doing many things at once, in tasks and in threads: how many, in which order, and what an error does."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mixpeek.client.aio import world as aio
from mixpeek.client.sync import world as sync


def test_threads_work_side_by_side_and_no_more_than_allowed() -> None:
    together = threading.Barrier(2, timeout=10)
    seen: list[int] = []

    def work(item: int) -> int:
        together.wait()
        return item

    for made in sync.as_they_finish(work, iter(range(6)), 2):
        seen.append(made)

    assert sorted(seen) == list(range(6))


def test_tasks_work_side_by_side_and_items_are_taken_when_there_is_room() -> None:
    taken: list[int] = []

    def items() -> list[int]:
        return list(range(6))

    async def main() -> tuple[int, list[int]]:
        most = under_way = 0

        async def work(item: int) -> int:
            nonlocal most, under_way
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            return item

        given = (taken.append(item) or item for item in items())
        made = []
        async for each in aio.as_they_finish(work, given, 2):
            assert len(taken) <= len(made) + 3
            made.append(each)
        return most, made

    most, made = asyncio.run(main())

    assert most == 2
    assert sorted(made) == items()


def test_the_first_error_ends_the_others() -> None:
    async def main() -> bool:
        was_cancelled = False

        async def work(item: int) -> int:
            nonlocal was_cancelled
            if item == 0:
                raise OSError("gone")
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                was_cancelled = True
                raise
            return item

        with pytest.raises(OSError, match="gone"):
            async for _ in aio.as_they_finish(work, [1, 0], 2):
                pass
        return was_cancelled

    def fails(item: int) -> int:
        raise OSError("gone")

    assert asyncio.run(main())
    with pytest.raises(OSError, match="gone"):
        list(sync.as_they_finish(fails, range(100), 2))
