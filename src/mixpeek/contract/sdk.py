"""Running many calls at once, in order. Plugins import this through `shared.plugins.sdk`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar, cast

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_WORKERS = 64
"""Most threads of one call; a plugin may have 512 in all."""


def parallel_io(fn: Callable[[Item], Result], items: Iterable[Item], max_workers: int = 8) -> list[Result]:
    """Return `fn(item)` for every item, in the order of the items, run on threads.

    Once one call raises, no further one begins; those under way are waited for, then the exception is raised. Items are
    taken from their iterator as threads become free.

    Args:
        fn: called with one item, on any of the threads.
        items: anything that can be iterated over.
        max_workers: how many calls run at once, 1 to 64.

    Raises: ValueError: `max_workers` is none of these. Otherwise what `fn` raised.
    """
    workers = _checked("max_workers", max_workers)
    results: dict[int, Result] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="parallel-io") as pool:
        under_way: dict[Future[Result], int] = {}
        numbered = enumerate(items)
        try:
            while _top_up(pool, fn, numbered, under_way, workers):
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                # Of those that ended together, the first item's exception is the one that is raised.
                for future in sorted(done, key=under_way.__getitem__):
                    results[under_way.pop(future)] = future.result()
        except BaseException:
            for future in under_way:
                future.cancel()
            raise
    return [results[number] for number in range(len(results))]


def concurrent_api_calls(
    fn: Callable[[Item], Result | Awaitable[Result]], items: Iterable[Item], max_concurrency: int = 8
) -> list[Result]:
    """Return `fn(item)` for every item, in the order of the items; `fn` may be async.

    Called from plain code, also while an event loop runs in this thread: an async `fn` runs in a loop of its own. Once
    one call raises, those under way are cancelled, no further one begins, and the exception is raised.

    Args:
        fn: called with one item; may return an awaitable.
        items: anything that can be iterated over.
        max_concurrency: how many calls run at once, 1 to 64.

    Raises: ValueError: `max_concurrency` is none of these. Otherwise what `fn` raised.
    """
    most = _checked("max_concurrency", max_concurrency)
    if not _is_async(fn):
        return parallel_io(lambda item: _settled(fn(item)), items, most)
    calls = _in_order(cast("Callable[[Item], Awaitable[Result]]", fn), items, most)
    # A thread of its own: the caller may itself be running inside an event loop.
    with ThreadPoolExecutor(1, thread_name_prefix="api-calls") as pool:
        return pool.submit(copy_context().run, asyncio.run, calls).result()


async def _in_order(fn: Callable[[Item], Awaitable[Result]], items: Iterable[Item], most: int) -> list[Result]:
    results: dict[int, Result] = {}
    numbered = enumerate(items)

    async def work() -> None:
        for number, item in numbered:
            results[number] = await fn(item)

    workers = [asyncio.create_task(work()) for _ in range(most)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [results[number] for number in range(len(results))]


def _settled(value: Result | Awaitable[Result]) -> Result:
    """Return a value, or what an awaitable value comes to: a plain function may return one."""
    if not inspect.isawaitable(value):
        return value

    async def settle() -> Result:
        return await value

    return asyncio.run(settle())


def _top_up(
    pool: ThreadPoolExecutor,
    fn: Callable[[Item], Result],
    numbered: Iterator[tuple[int, Item]],
    under_way: dict[Future[Result], int],
    most: int,
) -> bool:
    """Begin calls until `most` are under way or no item is left; return whether any is."""
    while len(under_way) < most:
        following = next(numbered, None)
        if following is None:
            break
        under_way[pool.submit(copy_context().run, fn, following[1])] = following[0]
    return bool(under_way)


def _is_async(fn: Callable[..., object]) -> bool:
    if inspect.iscoroutinefunction(fn):
        return True
    inner = getattr(fn, "func", None)  # a partial of an async function
    if inner is not None and callable(inner):
        return _is_async(inner)
    return inspect.iscoroutinefunction(getattr(fn, "__call__", None))  # noqa: B004 - an object with an async call


def _checked(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_WORKERS:
        raise ValueError(f"{name} is {value!r}; give a whole number from 1 to {MOST_WORKERS}")
    return value
