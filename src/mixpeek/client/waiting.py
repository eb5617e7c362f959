"""Waiting for work on the server: ask, report, pause, until it has ended or the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable

from mixpeek.client.errors import WaitTimedOut
from mixpeek.client.response import Response

Progress = Callable[[Response], None]

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


def wait_until(
    ask: Callable[[], Response],
    has_ended: Callable[[Response], bool],
    what: str,
    *,
    on_progress: Progress | None,
    timeout_s: float | None,
    poll_s: float | None,
) -> Response:
    """Return the first answer of `ask` that has ended.

    Args:
        on_progress: called with every answer, the last one included.
        timeout_s: None waits without end.
        poll_s: seconds between two questions; None starts at 0.1 and slows down to 2.
    Raises: WaitTimedOut: `what` did not end in time.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    pause_s = _FIRST_PAUSE_S if poll_s is None else poll_s
    while True:
        answer = ask()
        if on_progress is not None:
            on_progress(answer)
        if has_ended(answer):
            return answer
        if deadline is not None and time.monotonic() + pause_s > deadline:
            raise WaitTimedOut(
                f"{what} has not ended after {timeout_s:g} seconds; its status is {answer.get('status')}",
                hint="It goes on without this client; ask for its status later",
            )
        time.sleep(pause_s)
        if poll_s is None:
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
