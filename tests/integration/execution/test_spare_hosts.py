"""Hosts and tests that are begun before they are asked for: given once, to who asks for the same, or ended."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mixpeek.execution.local import LocalExecution, for_tests
from mixpeek.execution.local_host import LocalHost
from mixpeek.execution.port import HostSpec
from mixpeek.execution.spares import SpareHosts

WritePlugin = Callable[..., Path]
_FAILS = "def test_it():\n    assert 'begun' == 'asked'\n"
_NEVER_ENDS = "import time\n\ndef test_it():\n    time.sleep(3600)\n"


class Counted(LocalExecution):
    """Keeps the hosts that were started."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[LocalHost] = []
        self.one_started = asyncio.Event()

    async def start(self, spec: HostSpec, **options: Any) -> LocalHost:
        host = await super().start(spec, **options)
        self.started.append(host)
        self.one_started.set()
        return host


@pytest.fixture
def spec(write_plugin: WritePlugin) -> HostSpec:
    return for_tests(HostSpec(write_plugin(**{"tests/test_it": _FAILS}), "sample", background=False))


def with_hosts(work: Callable[[SpareHosts, Counted], Awaitable[None]]) -> None:
    async def run() -> None:
        execution = Counted()
        hosts = SpareHosts(execution)
        try:
            await asyncio.wait_for(work(hosts, execution), 60)
        finally:
            await hosts.close()
        assert not any(host.alive for host in execution.started)

    asyncio.run(run())


def test_tests_that_were_begun_are_given_once(spec: HostSpec) -> None:
    async def work(hosts: SpareHosts, execution: Counted) -> None:
        hosts.begin_tests(spec)
        first = await hosts.pytest(spec)
        assert len(execution.started) == 1
        again = await hosts.pytest(spec)
        assert len(execution.started) == 2
        assert first.exit_code == again.exit_code == 1
        assert "begun" in first.output

    with_hosts(work)


def test_tests_that_were_begun_for_another_spec_are_not_given(spec: HostSpec) -> None:
    async def work(hosts: SpareHosts, execution: Counted) -> None:
        hosts.begin_tests(spec)
        smaller = dataclasses.replace(spec, memory_bytes=spec.memory_bytes // 2)
        assert (await hosts.pytest(smaller)).exit_code == 1
        assert len(execution.started) == 2

    with_hosts(work)


def test_tests_that_nobody_asks_for_are_ended(spec: HostSpec) -> None:
    (spec.plugin_dir / "tests" / "test_it.py").write_text(_NEVER_ENDS)

    async def work(hosts: SpareHosts, execution: Counted) -> None:
        hosts.begin_tests(spec)
        await execution.one_started.wait()
        await hosts.abandon_tests()
        assert [host.alive for host in execution.started] == [False]

    with_hosts(work)


def test_a_host_that_is_left_has_ended_once_all_are_closed(spec: HostSpec) -> None:
    async def work(hosts: SpareHosts, execution: Counted) -> None:
        hosts.leave(await hosts.start(spec))

    with_hosts(work)
