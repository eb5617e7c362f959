"""Hosts that a keeper keeps: reached through a file or a port, judged from afar, lost with their machine."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from factories.kept_hosts import KeptHosts
from factories.waiting import until
from mixpeek.errors import (
    HostLost,
    PlatformError,
    PluginCpuExceeded,
    PluginCrashed,
    PluginFlooded,
    PluginOutOfMemory,
    PluginTimedOut,
)
from mixpeek.execution import watchdog
from mixpeek.execution.blocking import BlockingExecution, BlockingHost
from mixpeek.execution.port import HostSpec
from mixpeek.execution.remote import keeper, process
from mixpeek.execution.remote.doors import Doors, enter
from mixpeek.execution.remote.handshake import NotOurs

WritePlugin = Callable[..., Path]

HANDLER = """
    import os, sys, threading, time
    class RealtimeHandler:
        def predict(self, request):
            what = request.get("do")
            if what == "sleep":
                time.sleep(3600)
            if what == "exit":
                print("these were my last words", flush=True)
                os._exit(3)
            if what == "hoard":
                self.held = [bytearray(b"x" * 1024) for _ in range(400 * 1024)]
            if what == "flood":
                while True:
                    sys.stdout.write("x" * 2**20)
            if what == "spin":
                threading.Thread(target=lambda: all(True for _ in iter(int, 1)), daemon=True).start()
            return {"said": request}
"""


class Kept:
    """An execution of keepers, and the hosts a test starts with it."""

    def __init__(self, write_plugin: WritePlugin, *, is_far: bool) -> None:
        self.source = KeptHosts(is_far=is_far)
        self.execution = BlockingExecution(self.source)
        self.write_plugin = write_plugin

    def start(self, **options: Any) -> BlockingHost:
        return self.execution.start(HostSpec(self.write_plugin(realtime=HANDLER), "sample", **options))


@pytest.fixture(params=["near", "far"])
def kept(request: pytest.FixtureRequest, write_plugin: WritePlugin) -> Iterator[Kept]:
    made = Kept(write_plugin, is_far=request.param == "far")
    yield made
    made.execution.close()


def test_a_kept_host_answers_and_runs_tables(kept: Kept) -> None:
    host = kept.start()
    host.build()
    wide = pa.table({"data": ["x" * 1000] * 20_000})

    assert host.predict({"text": "x"}) == {"said": {"text": "x"}}
    assert host.run(wide).column("vector").to_pylist()[-1] == [1000.0, 1.0]
    assert host.health().answered == 3


def test_what_a_host_uses_is_told_by_its_machine_where_that_is_another(kept: Kept) -> None:
    kept.start()
    (host,) = kept.source.hosts

    until(host.memory_bytes, what="its keeper has told what it uses")

    if host.pid:
        assert host.told is None, "this machine's kernel knows"
    else:
        assert host.told is not None
        assert host.told.memory_bytes > 5 * 1024**2
        assert host.told.cpu_s > 0


def test_how_a_kept_host_ended_is_told_with_its_last_words(kept: Kept) -> None:
    host = kept.start()

    with pytest.raises(PluginCrashed, match="ended with status 3; it last printed: these were my last words"):
        host.predict({"do": "exit"})

    assert not host.alive


def test_a_call_out_of_time_ends_a_kept_host(kept: Kept) -> None:
    host = kept.start()

    with pytest.raises(PluginTimedOut):
        host.predict({"do": "sleep"}, timeout_s=0.3)

    until(lambda: not host.alive, what="the host is dead")


@pytest.mark.parametrize(
    ("what", "error"),
    [("hoard", PluginOutOfMemory), ("flood", PluginFlooded), ("spin", PluginCpuExceeded)],
)
def test_a_kept_host_is_stopped_over_its_limits(
    kept: Kept, what: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a machine full of other work a host gets less of it than it is always forgiven.
    monkeypatch.setattr(watchdog, "IDLE_CPU_S", 0.3)
    monkeypatch.setattr(watchdog, "IDLE_SHARE", 0.0)
    host = kept.start(memory_bytes=256 * 1024**2)

    with pytest.raises(error):
        host.predict({"do": what})
        until(lambda: not host.alive, what="the host is stopped", within_s=90)
        host.health()


def test_a_host_is_lost_when_its_keeper_is_cut_off(kept: Kept) -> None:
    host = kept.start()
    (only,) = kept.source.keepers
    pid = only._process.pid

    kept.execution._loop.call_soon_threadsafe(only._control.abort)  # type: ignore[union-attr]

    with pytest.raises(HostLost, match=r"127\.0\.0\.1"):
        host.predict({"do": "sleep"})
    until(lambda: not psutil.pid_exists(pid), what="nobody is left to judge the host, so it has ended")


def test_a_silent_keeper_is_taken_for_lost(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "SILENT_S", 0.5)
    monkeypatch.setattr(keeper, "TICK_S", 60.0)
    host = kept.start()

    with pytest.raises(HostLost, match=r"nothing was heard of it for 0.5 s"):
        host.predict({"do": "sleep"})


def test_a_killed_host_is_no_lost_machine(kept: Kept) -> None:
    host = kept.start()

    os.killpg(kept.source.keepers[0]._process.pid, signal.SIGKILL)

    with pytest.raises(PluginCrashed, match="SIGKILL"):
        host.predict({"do": "sleep"})


def test_closing_leaves_no_process_and_no_door(kept: Kept) -> None:
    host = kept.start()
    (only,) = kept.source.keepers
    pid, door = only._process.pid, Path(only.address.path)

    host.close()

    until(lambda: not psutil.pid_exists(pid), what="the host has ended")
    assert not door.parent.exists()


@pytest.mark.parametrize("is_far", [False, True])
def test_nobody_enters_without_the_token(is_far: bool) -> None:
    async def try_it() -> None:
        doors = Doors(b"a" * 32, "127.0.0.1")
        address = doors.address
        if is_far:
            address = dataclasses.replace(address, path="/nowhere")
        try:
            with pytest.raises(NotOurs):
                await enter(address, b"b" * 32)
            with pytest.raises(TimeoutError):
                await doors.all(within_s=0.05)
        finally:
            doors.close()

    asyncio.run(try_it())


def test_whoever_listens_in_the_keepers_place_is_found_out() -> None:
    async def answer_anything(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            writer.write(b"n" * 32)
            await reader.read(1000)
            writer.write(b"p" * 32)
            await reader.read()

    async def try_it() -> None:
        doors = Doors(b"a" * 32, "127.0.0.1")
        address = doors.address
        doors.close()
        impostor = await asyncio.start_server(answer_anything, "127.0.0.1", address.port)
        async with impostor:
            with pytest.raises(NotOurs, match="does not hold its token"):
                await enter(address, b"a" * 32)

    asyncio.run(try_it())


def test_a_keeper_to_whom_nobody_comes_gives_up(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "CONNECT_S", 0.05)

    async def launch() -> None:
        lonely = keeper.Keeper(b"a" * 32, "127.0.0.1", kept.source._cache)
        spec = HostSpec(kept.write_plugin(), "sample")
        with socket.create_connection((lonely.address.host, lonely.address.port)):
            await lonely.launch(keeper.Order(spec, kept.source.grants.egress, True, 1.0))

    with pytest.raises(PlatformError, match="Nobody connected"):
        kept.execution.call(launch())
