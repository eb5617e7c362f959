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
from mixpeek.execution.port import START_TIMEOUT_S, TESTS_TIMEOUT_S, HostSpec, Libraries, PytestResult


class SpareHosts:
    """An `Execution` that has hosts ready for the specs it was told of."""

    def __init__(self, execution: LocalExecution) -> None:
        self._execution = execution
        self._spares: dict[HostSpec, asyncio.Task[LocalHost]] = {}

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

    async def pytest(self, spec: HostSpec, *, timeout_s: float = TESTS_TIMEOUT_S) -> PytestResult:
        """Run the plugin's own tests in a host of their own."""
        return await tests_of(await self.start(for_tests(spec)), timeout_s=timeout_s)

    async def close(self) -> None:
        """End every host, those that wait too."""
        spares, self._spares = list(self._spares.values()), {}
        for spare in spares:
            spare.cancel()
        await asyncio.gather(*spares, return_exceptions=True)
        await self._execution.close()

    @staticmethod
    async def _ready(starting: Coroutine[Any, Any, LocalHost], libraries: Libraries) -> LocalHost:
        host = await starting
        try:
            await host.import_libraries(libraries)
        except PluginError:
            await host.close()  # whoever takes it finds that it ended, and has another one started
        return host
