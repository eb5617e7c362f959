"""Many calls at once: their order, their limit, and what an error does to the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from shared.plugins.sdk import concurrent_api_calls, parallel_io

RUN_ALL = [parallel_io, concurrent_api_calls]


async def doubled(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


@pytest.mark.parametrize("run", RUN_ALL)
def test_results_come_in_the_order_of_the_items_whichever_ends_first(run: Callable[..., list[int]]) -> None:
    second_has_ended = threading.Event()

    def slow_first(number: int) -> int:
        if number == 0:
            assert second_has_ended.wait(10)
        elif number == 1:
            second_has_ended.set()
        return number

    assert run(slow_first, range(10), 2) == list(range(10))


@pytest.mark.parametrize("run", RUN_ALL)
def test_no_call_begins_after_one_has_raised(run: Callable[..., list[int]]) -> None:
    begun: list[int] = []

    def fail_at_once(number: int) -> int:
        begun.append(number)
        raise LookupError(str(number))

    with pytest.raises(LookupError):
        run(fail_at_once, range(1_000), 2)
    assert len(begun) <= 2


def test_the_error_of_an_async_call_cancels_those_under_way_and_is_raised() -> None:
    cancelled: list[int] = []

    async def wait_or_fail(number: int) -> None:
        if number == 3:
            raise LookupError("the third")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(number)
            raise

    with pytest.raises(LookupError, match="the third"):
        concurrent_api_calls(wait_or_fail, range(100), 4)
    assert sorted(cancelled) == [0, 1, 2]


@pytest.mark.parametrize("run", RUN_ALL)
def test_items_are_taken_as_threads_become_free(run: Callable[..., list[int]]) -> None:
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield number

    def stop_at_ten(number: int) -> int:
        if number == 10:
            raise StopAsyncIteration
        return number

    with pytest.raises(StopAsyncIteration):
        run(stop_at_ten, numbers(), 3)
    assert taken <= 14


def test_at_most_so_many_async_calls_overlap() -> None:
    running, most = 0, 0

    async def count(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    concurrent_api_calls(count, range(50), 5)

    assert most == 5


def plainly_doubled(number: int) -> Awaitable[int]:
    return doubled(number)


class Async:
    async def __call__(self, number: int) -> int:
        return await doubled(number)


@pytest.mark.parametrize("fn", [doubled, partial(doubled), Async(), plainly_doubled])
def test_every_kind_of_async_function_is_settled_also_inside_a_running_loop(fn: Any) -> None:
    async def inside() -> list[int]:
        return concurrent_api_calls(fn, range(4), 2)

    assert concurrent_api_calls(fn, range(4), 2) == [0, 2, 4, 6]
    assert asyncio.run(inside()) == [0, 2, 4, 6]


@pytest.mark.parametrize("run", RUN_ALL)
@pytest.mark.parametrize("most", [0, -1, 65, 2.0, True])
def test_a_limit_that_is_none_is_refused_by_name(run: Callable[..., list[int]], most: Any) -> None:
    with pytest.raises(ValueError, match=r"max_\w+ is .*from 1 to 64"):
        run(doubled, [1], most)


@pytest.mark.parametrize("run", RUN_ALL)
def test_of_no_items_there_are_no_results(run: Callable[..., list[int]]) -> None:
    assert run(doubled, [], 4) == []
