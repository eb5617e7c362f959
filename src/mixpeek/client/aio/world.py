"""What differs between a client that awaits and one that blocks: this, and `sync.world` by hand beside it.

Everything else in this package is written once, as coroutines, and `sync` is made from it by `scripts/sync_client.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import ParamSpec, TypeVar

import httpx

Given = TypeVar("Given")
Made = TypeVar("Made")
Arguments = ParamSpec("Arguments")

Http = httpx.AsyncClient
sleep = asyncio.sleep


async def off_loop(function: Callable[Arguments, Made], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Made:
    """Return what a function that reads files or computes for long returns, without holding up other coroutines."""
    return await asyncio.to_thread(function, *args, **kwargs)


async def as_they_finish(
    work: Callable[[Given], Awaitable[Made]], items: Iterable[Given], at_once: int
) -> AsyncIterator[Made]:
    """Yield what `work` makes of the items as it is made, at most `at_once` under way; the first error ends it all."""
    left = iter(items)
    running: set[asyncio.Task[Made]] = set()
    ended: set[asyncio.Task[Made]] = set()

    async def one(item: Given) -> Made:
        return await work(item)

    try:
        while True:
            while len(running) < at_once:
                try:
                    running.add(asyncio.create_task(one(next(left))))
                except StopIteration:
                    break
            if not running:
                return
            ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, *ended, return_exceptions=True)
