"""What happens to a host that uses more than it may, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from factories.waiting import until
from mixpeek.errors import (
    PluginCpuExceeded,
    PluginCrashed,
    PluginError,
    PluginFlooded,
    PluginOutOfMemory,
    PluginRaised,
    PluginReplyTooLarge,
    PluginTooManyFiles,
    PluginTooManyThreads,
)
from mixpeek.execution import watchdog
from mixpeek.execution.blocking import BlockingHost

StartHost = Callable[..., BlockingHost]
MIB = 1024**2

HANDLER = """
    import mmap, os, threading, time

    class RealtimeHandler:
        def predict(self, request):
            return getattr(self, request["do"])()

        def spin_later(self):
            threading.Thread(target=self.spin, daemon=True).start()
            return "done"

        def spin(self):
            while True:
                pass

        def map_scratch(self):
            for folder in ("/tmp", "/dev/shm"):
                for number in range(2):
                    file = open(f"{folder}/{number}", "w+b")
                    file.truncate(100 * 2**20)
                    block = mmap.mmap(file.fileno(), 100 * 2**20)
                    for at in range(0, len(block), 4096):
                        block[at] = 1
            time.sleep(30)

        def threads(self):
            while True:
                threading.Thread(target=time.sleep, args=(30,), daemon=True).start()

        def files(self):
            held = []
            while True:
                held.append(open("/dev/null"))

        def flood(self):
            for _ in range(200):
                os.write(1, b"x" * 2**20)

        def chatter(self):
            for _ in range(20):
                os.write(1, b"x" * 2**20)

        def large(self):
            return "x" * (9 * 2**20)

        def keep(self):
            self.held = [bytearray(2**20) for _ in range(10**6)]

        def exit(self):
            os._exit(3)

        def leave(self):
            open("/tmp/left", "w").close()
            open("/dev/shm/left", "w").close()

        def found(self):
            return os.listdir("/tmp") + os.listdir("/dev/shm")
"""


@pytest.mark.parametrize(
    ("do", "error", "survives"),
    [
        ("map_scratch", PluginOutOfMemory, False),
        ("keep", PluginOutOfMemory, True),
        ("threads", PluginTooManyThreads, True),
        ("files", PluginTooManyFiles, True),
        ("flood", PluginFlooded, False),
        ("large", PluginReplyTooLarge, True),
        ("exit", PluginCrashed, False),
    ],
)
def test_each_limit_is_met_with_an_error_of_its_own_name(
    start: StartHost, do: str, error: type[PluginError], survives: bool
) -> None:
    host = start(realtime=HANDLER, memory_bytes=256 * MIB)

    with pytest.raises(error):
        host.predict({"do": do})

    assert host.alive is survives


def test_a_host_that_works_while_nobody_waits_is_stopped_and_later_calls_say_why(
    start: StartHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a machine full of other work a host gets less of it than it is always forgiven.
    monkeypatch.setattr(watchdog, "IDLE_CPU_S", 0.3)
    monkeypatch.setattr(watchdog, "IDLE_SHARE", 0.0)
    host = start(realtime=HANDLER)

    assert host.predict({"do": "spin_later"}) == "done"

    until(lambda: not host.alive, what="the host is stopped", within_s=90)
    with pytest.raises(PluginCpuExceeded, match="while no call was waiting"):
        host.predict({"do": "found"})


def test_much_but_bearable_printing_is_read_and_forgotten(start: StartHost) -> None:
    host = start(realtime=HANDLER)

    assert host.predict({"do": "chatter"}) is None
    assert host.alive
    assert len(host.stderr_tail()) <= 256 * 1024


def test_what_a_host_leaves_in_scratch_is_gone_with_it(start: StartHost) -> None:
    first = start(realtime=HANDLER, uid=200_002)
    first.predict({"do": "leave"})
    # A folder in which the interpreter lies may stand there too, if that is below /tmp.
    assert first.predict({"do": "found"}).count("left") == 2
    plugin = start(realtime=HANDLER, uid=200_002)

    assert "left" not in plugin.predict({"do": "found"})


def test_an_exception_of_the_plugins_own_is_no_limit(start: StartHost) -> None:
    host = start(realtime=HANDLER)

    with pytest.raises(PluginRaised, match="AttributeError"):
        host.predict({"do": "nothing_of_the_kind"})
