"""What plugin code cannot reach, tried from inside a host."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from factories.waiting import until
from mixpeek.errors import PluginCrashed, PluginOutOfMemory, PluginRaised, PluginScratchFull
from mixpeek.execution.blocking import BlockingHost

HANDLER = """
    import ctypes, mmap, os, socket, subprocess, sys, threading

    class RealtimeHandler:
        def predict(self, request):
            return getattr(self, request["attempt"])(*request.get("arguments", []))

        def write(self, path):
            with open(path, "w") as file:
                file.write("x")

        def read(self, path):
            with open(path, "rb") as file:
                return len(file.read(100))

        def fill(self, path, size):
            block = b"x" * 1024**2
            with open(path, "wb") as file:
                for _ in range(size // len(block)):
                    file.write(block)

        def connect(self, port):
            socket.create_connection(("127.0.0.1", port), timeout=2)

        def environment(self):
            return dict(os.environ)

        def listing(self, path):
            return os.listdir(path)

        def run_program(self):
            subprocess.run(["/usr/bin/env"])

        def fork(self):
            os.fork()

        def raw_fork(self):
            return ctypes.CDLL(None, use_errno=True).fork()

        def unshare(self):
            return ctypes.CDLL(None, use_errno=True).unshare(0x10000000)

        def take_memory(self, size):
            return len(bytearray(size))

        def share_memory(self, size):
            return len(mmap.mmap(-1, size))

        def modules(self):
            return list(sys.modules)

        def map_device(self, path, size):
            with open(path, "r+b") as device:
                return len(mmap.mmap(device.fileno(), size))

        def status(self):
            lines = open("/proc/self/status").read().splitlines()
            fields = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
            return {"uid": os.getuid(), "groups": os.getgroups(), **fields}

        def use_threads(self):
            seen = []
            threads = [threading.Thread(target=seen.append, args=(n,)) for n in range(8)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            return len(seen)
"""
Attempt = Callable[..., Any]


@pytest.fixture
def host(start: Callable[..., BlockingHost]) -> BlockingHost:
    return start(realtime=HANDLER, memory_bytes=512 * 1024**2, scratch_bytes=8 * 1024**2)


@pytest.fixture
def attempt(host: BlockingHost) -> Attempt:
    return lambda what, *arguments: host.predict({"attempt": what, "arguments": list(arguments)})


@pytest.mark.parametrize(
    "path", ["/x", "/usr/x", "/plugin/sample/x.py", "/dev/x", "/etc/x", "/proc/sys/kernel/hostname"]
)
def test_nothing_outside_the_scratch_folder_can_be_written(attempt: Attempt, path: str) -> None:
    with pytest.raises(PluginRaised, match=r"OSError|PermissionError|FileNotFoundError"):
        attempt("write", path)


def test_the_scratch_folder_can_be_written_up_to_its_cap(attempt: Attempt) -> None:
    attempt("write", "/tmp/x")

    with pytest.raises(PluginScratchFull, match="OSError"):
        attempt("fill", "/tmp/big", 16 * 1024**2)


def test_a_listening_loopback_socket_cannot_be_reached(attempt: Attempt) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, pytest.raises(PluginRaised, match="PermissionError"):
        attempt("connect", listening.getsockname()[1])


def test_the_environment_holds_nothing_of_the_server(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXPEEK_API_KEY", "sk_secret")

    environment = attempt("environment")

    assert not [name for name in environment if name.startswith("MIXPEEK_")]
    assert "sk_secret" not in environment.values()


def test_the_data_folder_and_other_plugins_are_invisible(attempt: Attempt, tmp_path: Path) -> None:
    secret = tmp_path / "data" / "key"
    secret.parent.mkdir()
    secret.write_text("sk_secret")

    with pytest.raises(PluginRaised, match="FileNotFoundError"):
        attempt("read", str(secret))
    assert attempt("listing", "/plugin") == ["sample"]


@pytest.mark.parametrize("path", ["/etc/shadow", "/etc/passwd", "/proc/1/environ", "/proc/1/mem"])
def test_the_files_of_the_machine_are_closed(attempt: Attempt, path: str) -> None:
    with pytest.raises(PluginRaised, match=r"FileNotFoundError|PermissionError"):
        attempt("read", path)


@pytest.mark.parametrize("what", ["run_program", "fork"])
def test_no_process_can_be_started(attempt: Attempt, what: str) -> None:
    with pytest.raises(PluginRaised, match="PermissionError"):
        attempt(what)


@pytest.mark.parametrize("what", ["raw_fork", "unshare"])
def test_the_kernel_refuses_the_call_itself(attempt: Attempt, what: str) -> None:
    assert attempt(what) == -1


def test_threads_still_work(attempt: Attempt) -> None:
    assert attempt("use_threads") == 8


def test_no_capability_and_no_group_is_left(attempt: Attempt) -> None:
    status = attempt("status")

    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    if os.geteuid() == 0:
        assert (status["uid"], status["groups"]) == (65534, [])


def test_a_host_runs_as_the_uid_it_was_given(start: Callable[..., BlockingHost]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives each host its own uid")
    host = start(realtime=HANDLER, uid=200_001)

    assert host.predict({"attempt": "status"})["uid"] == 200_001


def test_memory_over_the_limit_is_an_error_of_the_plugin_and_the_host_lives(
    host: BlockingHost, attempt: Attempt
) -> None:
    with pytest.raises(PluginOutOfMemory, match="MemoryError"):
        attempt("take_memory", 1024**3)

    assert host.alive


def test_shared_memory_is_no_way_around_the_limit(attempt: Attempt) -> None:
    with pytest.raises(PluginRaised, match="PermissionError"):
        attempt("share_memory", 1024**3)


def test_no_device_can_be_mapped_as_memory(attempt: Attempt) -> None:
    with pytest.raises(PluginRaised, match="OSError"):
        attempt("map_device", "/dev/zero", 1024**3)


def test_no_other_process_of_the_machine_is_visible(attempt: Attempt) -> None:
    numbers = [name for name in attempt("listing", "/proc") if name.isdigit()]

    assert len(numbers) <= 3


def test_a_host_starts_and_answers_without_loading_tables_or_an_event_loop(attempt: Attempt) -> None:
    loaded = attempt("modules")

    assert not {"pandas", "numpy", "pyarrow", "pydantic", "asyncio"} & set(loaded)


def test_killing_the_outer_process_ends_the_host(host: BlockingHost, attempt: Attempt) -> None:
    os.kill(host.pid, 9)
    until(lambda: not host.alive, what="its end is noticed")

    with pytest.raises(PluginCrashed, match="SIGKILL"):
        attempt("environment")
