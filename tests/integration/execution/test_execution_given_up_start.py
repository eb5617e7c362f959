"""A host whose start is given up leaves neither a process nor a socket behind."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from factories.waiting import until
from mixpeek.execution import local_host, sandbox
from mixpeek.execution.local import LocalExecution
from mixpeek.execution.port import HostSpec

WritePlugin = Callable[..., Path]


def own_children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_a_start_given_up_at_its_very_last_moment_leaves_no_process(
    write_plugin: WritePlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, before = HostSpec(write_plugin(), "sample"), own_children()
    reached, go_on = threading.Event(), threading.Event()
    watch, watched = local_host._watchdog.watch, set(local_host._watchdog._watches)

    def watch_once_told(*arguments: Any, **options: Any) -> None:
        reached.set()
        go_on.wait(30)
        watch(*arguments, **options)

    monkeypatch.setattr(local_host._watchdog, "watch", watch_once_told)

    async def give_up() -> None:
        starting = asyncio.create_task(LocalExecution().start(spec))
        assert await asyncio.to_thread(reached.wait, 30)
        starting.cancel()
        asyncio.get_running_loop().call_soon(go_on.set)
        with contextlib.suppress(asyncio.CancelledError):
            await starting

    asyncio.run(give_up())

    until(lambda: own_children() <= before, what="every process of the host has ended", within_s=10)
    assert set(local_host._watchdog._watches) <= watched


@pytest.mark.parametrize("given_up_at", [1, 2])
def test_a_start_given_up_while_its_sockets_are_taken_over_leaves_none(
    given_up_at: int, write_plugin: WritePlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = HostSpec(write_plugin(), "sample")
    pairs: list[socket.socket] = []
    pair = socket.socketpair

    def noted(*arguments: Any) -> tuple[socket.socket, socket.socket]:
        made = pair(*arguments)
        pairs.extend(made)
        return made

    async def give_up() -> None:
        loop = asyncio.get_running_loop()
        connect, connected = loop.create_connection, 0
        starting = asyncio.create_task(LocalExecution().start(spec))

        async def connect_until_given_up(*arguments: Any, **options: Any) -> Any:
            nonlocal connected
            connected += 1
            if connected == given_up_at:
                starting.cancel()
                await asyncio.sleep(0)
            return await connect(*arguments, **options)

        monkeypatch.setattr(local_host.socket, "socketpair", noted)
        monkeypatch.setattr(loop, "create_connection", connect_until_given_up)
        with pytest.raises(asyncio.CancelledError):
            await starting

    asyncio.run(give_up())

    assert pairs
    assert [each for each in pairs if each.fileno() != -1] == []


@pytest.mark.parametrize("times", [1, 2])
def test_a_start_given_up_while_its_process_begins_ends_all_of_that(
    times: int, write_plugin: WritePlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = HostSpec(write_plugin(), "sample")
    # Its child holds what it prints open, as a sandbox's do that is still being made.
    monkeypatch.setattr(sandbox, "command", lambda *_, **__: ["sh", "-c", "sleep 40 & echo $!; wait"])
    child = 0

    async def give_up() -> None:
        loop = asyncio.get_running_loop()
        connect = loop.connect_read_pipe
        starting = asyncio.create_task(LocalExecution().start(spec))

        async def connect_and_give_up(make: Any, pipe: Any) -> Any:
            nonlocal child
            child = int(pipe.readline())
            for _ in range(times):
                starting.cancel()
                await asyncio.sleep(0)
            return await connect(make, pipe)

        monkeypatch.setattr(loop, "connect_read_pipe", connect_and_give_up)
        ended, _ = await asyncio.wait({starting}, timeout=20)
        assert ended, "it waits for what it had begun"
        assert starting.cancelled()

    asyncio.run(give_up())

    until(lambda: not psutil.pid_exists(child), what="the process that was begun last has ended", within_s=10)
