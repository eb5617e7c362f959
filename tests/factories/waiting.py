"""Waiting for a condition instead of for time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")
_POLL_S = 0.05


def until(ask: Callable[[], Value], *, what: str, within_s: float = 60.0) -> Value:
    """Return the first true value of `ask`; fail saying `what` did not come about in time."""
    deadline = time.monotonic() + within_s
    while True:
        value = ask()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}; last seen: {value!r}"
        time.sleep(_POLL_S)
