"""A host whose start is given up leaves no process behind."""

from __future__ import annotations

import asyncio
import contextlib

import psutil

from conftest import WritePlugin
from factories.waiting import until
from mixpeek.execution.local import LocalExecution
from mixpeek.execution.port import HostSpec


def own_children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_a_start_given_up_at_any_moment_leaves_no_process(write_plugin: WritePlugin) -> None:
    spec = HostSpec(write_plugin(), "sample")
    before = own_children()

    async def give_up_often() -> int:
        execution = LocalExecution()
        given_up = 0
        for moment in range(12):
            starting = asyncio.create_task(execution.start(spec))
            await asyncio.wait([starting], timeout=0.02 * moment)
            given_up += not starting.done()
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await (await starting).close()
        return given_up

    assert asyncio.run(give_up_often()) > 3
    until(lambda: own_children() <= before, what="every process of a host has ended", within_s=10)
