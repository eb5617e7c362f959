"""Ending a run of chunks from outside: calls under way are abandoned, nothing further is stored."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Halted(Exception):
    """The run was told to end; whoever told it knows why."""


class Halt:
    """A switch that is thrown once; `on_throw` is called then, in the thread that throws it."""

    def __init__(self) -> None:
        self._thrown = threading.Event()
        self._lock = threading.Lock()
        self._watchers: list[Callable[[], None]] = []
        self.reason: BaseException | None = None

    @property
    def is_thrown(self) -> bool:
        return self._thrown.is_set()

    def throw(self, reason: BaseException | None = None) -> None:
        """End the run; the first reason counts, None is a cancellation."""
        with self._lock:
            if self._thrown.is_set():
                return
            self.reason = reason
            self._thrown.set()
            watchers = list(self._watchers)
        for tell in watchers:
            tell()

    def on_throw(self, tell: Callable[[], None]) -> None:
        """Call `tell` when the switch is thrown; at once if it was."""
        with self._lock:
            if not self._thrown.is_set():
                self._watchers.append(tell)
                return
        tell()

    def check(self) -> None:
        """Raise Halted if the switch was thrown."""
        if self._thrown.is_set():
            raise Halted

    def wait(self, seconds: float) -> None:
        """Sleep; raise Halted as soon as the switch is thrown."""
        if self._thrown.wait(seconds):
            raise Halted

    def raise_reason(self) -> None:
        """Raise what ended the run: Halted where it was cancelled."""
        if self.is_thrown:
            raise self.reason if self.reason is not None else Halted
