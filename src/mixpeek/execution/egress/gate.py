"""Opens and closes a host's proxy by what the host was asked: a plugin is read and built without a network."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Protocol

_WITHOUT = frozenset({"describe", "build"})
_WITH = frozenset({"warmup", "predict", "run"})


class Barrier(Protocol):
    """What a gate moves: a host's proxy, here or on another machine."""

    def open_gate(self) -> None:
        """Let the host out."""

    def close_gate(self) -> None:
        """Let nothing out, and end what is under way."""

    async def close(self) -> None:
        """End it."""


class Gate:
    """One host's proxy: closed until the host is first asked to do its work, and whenever it builds."""

    def __init__(self, proxy: Barrier) -> None:
        self._proxy = proxy
        self._has_worked = False
        self._building = 0
        self._closing: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def during(self, verb: str) -> Iterator[None]:
        """Set the gate as this call needs it, for as long as it lasts."""
        self._has_worked |= verb in _WITH
        self._building += verb in _WITHOUT
        self._set()
        try:
            yield
        finally:
            self._building -= verb in _WITHOUT
            self._set()

    def _set(self) -> None:
        if self._has_worked and not self._building:
            self._proxy.open_gate()
        else:
            self._proxy.close_gate()

    def end(self) -> None:
        """Begin to close the proxy; the host has ended."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._proxy.close())

    async def close(self) -> None:
        """Close the proxy and wait until it is."""
        self.end()
        if self._closing is not None:
            await asyncio.shield(self._closing)
