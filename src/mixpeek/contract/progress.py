"""What processors get as `progress_actor`: whatever they tell it, and in whichever style, it never fails them.

What is told becomes a line of the plugin's log now and then, and in a batch part of its progress, as a word of the
plugin's: rows are counted by the platform itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from numbers import Real
from typing import Any, Protocol

# At most one line in so many seconds.
INTERVAL_S = 5.0

_log = logging.getLogger("mixpeek.progress")


class Tell(Protocol):
    """Takes how many items were done: since the last report, or in all."""

    def __call__(self, number: float, *, is_total: bool) -> None: ...


class ProgressActor:
    """Takes reports of progress: `update(n)`, `report(...)`, any other method, each also as `update.remote(n)`.

    The first number of a report is how many items were done since the last one, 1 if there is none; a method whose name
    begins with `set` tells of how many were done in all.
    """

    def __init__(
        self,
        of: str,
        clock: Callable[[], float] = time.monotonic,
        tell: Tell | None = None,
    ) -> None:
        """Have `tell` take each number, and whether it says how many were done in all."""
        self._of = of
        self._tell = tell
        self._clock = clock
        self._told_at = clock()
        self._done = 0.0

    @property
    def done(self) -> float:
        """How many items were reported."""
        return self._done

    def __getattr__(self, name: str) -> _Report:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Report(self, name)

    def _note(self, method: str, values: tuple[Any, ...]) -> None:
        number = next((number for value in values if (number := _number_from(value)) is not None), None)
        if method.startswith("set"):
            self._done = self._done if number is None else number
        else:
            self._done += 1 if number is None else number
        if self._tell is not None and (number is not None or not method.startswith("set")):
            self._tell(1.0 if number is None else number, is_total=method.startswith("set"))
        now = self._clock()
        if now - self._told_at >= INTERVAL_S:
            self._told_at = now
            _log.info("%s: %s done", self._of, f"{self._done:,.0f}")


class _Report:
    """One method of a ProgressActor, called directly or as an actor's, with `.remote`."""

    def __init__(self, actor: ProgressActor, name: str) -> None:
        self._actor = actor
        self._name = name

    def __call__(self, *values: Any, **named: Any) -> _Done:
        self._actor._note(self._name, (*values, *named.values()))
        return _Done()

    def remote(self, *values: Any, **named: Any) -> _Done:
        """The same, as actors are called."""
        return self(*values, **named)


class _Done:
    """What a report returns: nothing, which may be awaited."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield

    def __bool__(self) -> bool:
        return False


def _number_from(value: Any) -> float | None:
    """Return a count that a plugin told, None for whatever is none."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) < 2**53 else None  # nor is NaN
