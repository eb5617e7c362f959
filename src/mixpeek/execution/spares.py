"""Hosts started before they are needed: processes that have imported libraries, and nothing of the plugin yet.

A spare is used once, by whoever asks for a host with its spec. What it will run may still change while it waits: its
plugin's folder is bound as a folder, so what lies in it when the first call comes is what it imports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from mixpeek.errors import PluginError
from mixpeek.execution.grants import Grants
from mixpeek.execution.local import LocalExecution, for_tests, tests_of
from mixpeek.execution.local_host import LocalHost
from mixpeek.execution.port import START_TIMEOUT_S, TESTS_TIMEOUT_S, Host, HostSpec, Libraries, PytestResult


class SpareHosts:
    """An `Execution` that has hosts ready for the specs it was told of."""

    def __init__(self, execution: LocalExecution) -> None:
        self._execution = execution
        self._spares: dict[HostSpec, asyncio.Task[LocalHost]] = {}
        self._begun: dict[HostSpec, asyncio.Task[PytestResult]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def grants(self) -> Grants:
        """What this machine grants to hosts."""
        return self._execution.grants

    def prepare(self, spec: HostSpec, libraries: Libraries) -> None:
        """Begin to start a host for this spec, unless one waits already."""
        if spec not in self._spares:
            self._spares[spec] = asyncio.create_task(self._ready(self._execution.start(spec), libraries))

    async def settled(self) -> None:
        """Return once every spare is ready, or has failed to become so."""
        await asyncio.gather(*self._spares.values(), return_exceptions=True)

    async def start(self, spec: HostSpec, *, timeout_s: float = START_TIMEOUT_S) -> LocalHost:
        """Return the spare for this spec, if it lives, else a host started now."""
        spare = self._spares.pop(spec, None)
        if spare is not None:
            host = await spare
            if host.alive:
                return host
            await host.close()
        return await self._execution.start(spec, timeout_s=timeout_s)

    def begin_tests(self, spec: HostSpec) -> None:
        """Begin to run the plugin's own tests, unless that is begun; `pytest` for this spec gives what comes of it."""
        key = for_tests(spec)
        if key not in self._begun:
            self._begun[key] = asyncio.create_task(self._tests(spec, TESTS_TIMEOUT_S))

    async def pytest(self, spec: HostSpec, *, timeout_s: float = TESTS_TIMEOUT_S) -> PytestResult:
        """Run the plugin's own tests in a host of their own, or wait for those begun, which have their own limit."""
        begun = self._begun.pop(for_tests(spec), None)
        return await (begun or self._tests(spec, timeout_s))

    async def abandon_tests(self) -> None:
        """End the tests that were begun and that nobody asked for."""
        await _cancelled(self._begun)

    def leave(self, host: Host) -> None:
        """Begin to end a host that is needed no more; `close` waits for it."""
        ending = asyncio.create_task(host.close())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """End every host, those that wait too."""
        await _cancelled(self._spares)
        await self.abandon_tests()
        await asyncio.gather(self._execution.close(), *self._ending)

    async def _tests(self, spec: HostSpec, timeout_s: float) -> PytestResult:
        return await tests_of(await self.start(for_tests(spec)), timeout_s=timeout_s)

    @staticmethod
    async def _ready(starting: Coroutine[Any, Any, LocalHost], libraries: Libraries) -> LocalHost:
        host = await starting
        try:
            await host.import_libraries(libraries)
        except PluginError:
            await host.close()  # whoever takes it finds that it ended, and has another one started
        return host


async def _cancelled(tasks: dict[HostSpec, asyncio.Task[Any]]) -> None:
    """Take all tasks away, cancel them, and wait until they have ended."""
    taken = list(tasks.values())
    tasks.clear()
    for task in taken:
        task.cancel()
    await asyncio.gather(*taken, return_exceptions=True)
