"""Synchronous code that runs on the event loop: where it waits, the loop goes on with other work.

Handed to a thread and back, a request wakes two more processes than it has to, and on a quiet machine each of them
takes a processor out of its sleep: a tenth of a millisecond a time. Greenlets keep the stack of what waits instead, as
SQLAlchemy's asyncio does. What waits in another way than `wait_for` would hold up the whole loop: it raises WouldBlock.
"""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from greenlet import getcurrent, greenlet

Result = TypeVar("Result")


class WouldBlock(Exception):
    """What was begun on the loop has to wait for something that only a thread can wait for."""


class _Run(greenlet):
    """Code that was begun by `run`."""


def is_here() -> bool:
    """Tell whether the caller was begun by `run`, and waits by `wait_for`."""
    return isinstance(getcurrent(), _Run)


def wait_for(awaitable: Awaitable[Result]) -> Result:
    """Return what comes of an awaitable; only where `is_here`."""
    waiting = getcurrent().parent
    assert waiting is not None, "only what `run` has begun can wait for something"
    return cast("Result", waiting.switch(awaitable))


async def run(action: Callable[[], Result]) -> Result:
    """Return the result of `action`, called on this loop in a copy of this context.

    Raises: WouldBlock: it cannot go on here.
    """
    running = _Run(action)
    running.gr_context = contextvars.copy_context()
    came: Any = running.switch()
    while not running.dead:
        try:
            given = await came
        except BaseException as error:  # whatever it is, cancellation too: it is for who waits
            came = running.throw(error)
        else:
            came = running.switch(given)
    return cast("Result", came)
