"""What differs between a client that blocks and one that awaits: this, and `aio.world` by hand beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import ParamSpec, TypeVar

import httpx

Given = TypeVar("Given")
Made = TypeVar("Made")
Arguments = ParamSpec("Arguments")

Http = httpx.Client
sleep = time.sleep


def off_loop(function: Callable[Arguments, Made], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Made:
    """Return what a function that reads files or computes for long returns."""
    return function(*args, **kwargs)


def as_they_finish(work: Callable[[Given], Made], items: Iterable[Given], at_once: int) -> Iterator[Made]:
    """Yield what `work` makes of the items as it is made, at most `at_once` under way; the first error ends it all."""
    left = iter(items)
    running: set[Future[Made]] = set()
    with ThreadPoolExecutor(at_once, thread_name_prefix="mixpeek-client") as pool:
        try:
            while True:
                while len(running) < at_once:
                    try:
                        running.add(pool.submit(work, next(left)))
                    except StopIteration:
                        break
                if not running:
                    return
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    yield future.result()
        finally:
            for future in running:
                future.cancel()
