"""Waiting for work on the server: ask, report, pause, until it has ended or the time is up."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mixpeek.client.aio.world import sleep
from mixpeek.client.errors import WaitTimedOut
from mixpeek.client.pacing import Pace, Progress
from mixpeek.client.response import Response

Kind = TypeVar("Kind", bound=Response)


async def wait_until(
    ask: Callable[[int | None], Awaitable[Kind]],
    has_ended: Callable[[Response], bool],
    what: str,
    pace: Pace,
    *,
    on_progress: Progress | None,
    timeout_s: float | None,
) -> Kind:
    """Return the first answer of `ask` that has ended.

    Args:
        ask: is given the seconds for which the server may hold its answer, None for an answer at once.
        on_progress: called with every answer, the last one included.
        timeout_s: None waits without end.
    Raises: WaitTimedOut: `what` did not end in time.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        asked_at = time.monotonic()
        answer = await ask(pace.hold_s(None if deadline is None else deadline - asked_at))
        if on_progress is not None:
            on_progress(answer)
        if has_ended(answer):
            return answer
        pause_s = pace.pause_s(time.monotonic() - asked_at)
        if deadline is not None and time.monotonic() + pause_s >= deadline:
            raise WaitTimedOut(
                f"{what} has not ended after {timeout_s:g} seconds; its status is {answer.get('status')}",
                hint="It goes on without this client; ask for its status later",
            )
        await sleep(pause_s)
