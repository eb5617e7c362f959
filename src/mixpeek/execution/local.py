"""Hosts as child processes of this program, driven by its event loop.

Start hosts from a long-lived thread's loop: where this program is not root, `--die-with-parent` ends a host together
with the thread that started it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os

from mixpeek.errors import PluginCrashed, PluginTimedOut
from mixpeek.execution.asks.channel import AskChannel
from mixpeek.execution.asks.port import Broker
from mixpeek.execution.asks.veil import Veil
from mixpeek.execution.grants import Grants
from mixpeek.execution.host_log import HostLog
from mixpeek.execution.local_host import LocalHost
from mixpeek.execution.port import START_TIMEOUT_S, TESTS_TIMEOUT_S, Host, HostSpec, LogSink, PytestResult
from mixpeek.execution.spawning import mode_for

# pytest's own code for a run that was interrupted.
_ENDED = 2


class LocalExecution:
    """Starts hosts on this machine; see `Execution` in `execution.port`."""

    def __init__(self, grants: Grants | None = None, logs: LogSink | None = None, broker: Broker | None = None) -> None:
        self.grants = grants or Grants.here()
        self._logs = logs
        self._broker = broker
        self._hosts: list[LocalHost] = []

    def processors(self) -> int:
        """Return how many processors this machine has."""
        return os.cpu_count() or 1

    async def start(self, spec: HostSpec, *, timeout_s: float = START_TIMEOUT_S) -> LocalHost:
        """Start a host and return it once it answers."""
        spec, _ = self.grants.decide(spec)
        mode = await mode_for(spec)
        veil = Veil()
        log = HostLog(self._logs, spec.origin, veil) if self._logs and spec.origin else None
        # In the name of whom it works for, which is not always whose plugin it is.
        namespace_id = spec.origin.namespace_id if spec.origin else None
        host = LocalHost(log, AskChannel(self._broker, namespace_id, veil), veil)
        await host.start(spec, mode, timeout_s, self.grants.egress)
        self._hosts = [known for known in self._hosts if known.alive]
        self._hosts.append(host)
        return host

    async def pytest(self, spec: HostSpec, *, timeout_s: float = TESTS_TIMEOUT_S) -> PytestResult:
        """Run the plugin's own tests in a host of their own, which has neither network nor GPU."""
        return await tests_of(await self.start(for_tests(spec)), timeout_s=timeout_s)

    async def close(self) -> None:
        """End every host started here."""
        hosts, self._hosts = self._hosts, []
        await asyncio.gather(*(host.close() for host in hosts))


def for_tests(spec: HostSpec) -> HostSpec:
    """Return the spec of a host that runs the plugin's own tests: it has neither network nor GPU."""
    return dataclasses.replace(spec, network=False, gpu=False, label="tests")


async def tests_of(host: Host, *, timeout_s: float = TESTS_TIMEOUT_S) -> PytestResult:
    """Have a host run the plugin's own tests, and close it; raise PluginTimedOut, PluginFlooded."""
    try:
        exit_code = await host.tests(timeout_s=timeout_s)
    except PluginTimedOut as late:
        message = f"The plugin's tests took longer than {timeout_s:g} s"
        raise PluginTimedOut(message, output=host.stderr_tail()[-4000:]) from late
    except PluginCrashed as crash:  # a test that ends the process has not passed, whatever status it chose
        return PytestResult(_ENDED, f"{host.stderr_tail()}\n{crash.message}")
    finally:
        await host.close()
    return PytestResult(exit_code, host.stderr_tail())
