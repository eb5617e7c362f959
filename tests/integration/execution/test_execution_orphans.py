"""A sandbox ends with what started it, also where both are killed while its processes are only coming into being."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from factories.waiting import until

WritePlugin = Callable[..., Path]

SANDBOXES = 12
SLEEPING_TEST = """
    import time

    def test_that_takes_long():
        time.sleep(600)
"""
# It starts sandboxes, kills one process of each the moment that bwrap has begun its second one, says which of bwrap's
# there were, and dies before it can do anything about the others. So quick, bwrap's second process hung half the time.
PROGRAM = f"""
import os, signal, socket, subprocess, sys
from pathlib import Path
from mixpeek.execution import sandbox
from mixpeek.execution.port import HostSpec
from mixpeek.host.frames import encode_header, frame
from mixpeek.lifeline import Lifeline

def first_child(pid):
    children = Path(f"/proc/{{pid}}/task/{{pid}}/children")
    while not (found := children.read_text().split()):
        pass
    return int(found[0])

def chain(pid):
    found = [pid]
    while len(found) < 2 or "bwrap" not in Path(f"/proc/{{found[-2]}}/comm").read_text():
        found.append(first_child(found[-1]))
    return found

spec, lifelines = HostSpec(Path(sys.argv[1]), "sample"), []
for _ in range({SANDBOXES}):
    lifelines.append(lifeline := Lifeline())
    near, far = socket.socketpair()
    near.sendall(frame(encode_header({{"id": 1, "verb": "tests"}}), b""))
    line = sandbox.command(spec, mode="bubblewrap", fd=far.fileno(), lifeline=lifeline)
    nothing = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    handed = [*lifeline.descriptors, near.fileno(), far.fileno()]
    outer = subprocess.Popen(line, pass_fds=handed, start_new_session=True, **nothing)
    lifeline.tie(outer.pid, sandbox.grants(spec))
    processes = chain(outer.pid)
    if sys.argv[2] != "none":
        os.kill(processes[-2] if sys.argv[2] == "bwrap" else outer.pid, signal.SIGKILL)
    print(*processes[-2:], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def is_sandbox(pid: int) -> bool:
    """Tell whether this process is one of bwrap's; its number may belong to another one by now."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.startswith("Name:\tbwrap") and "State:\tZ" not in status


@pytest.mark.parametrize("killed", ["none", "outermost", "bwrap"])
def test_nothing_is_left_of_sandboxes_whose_program_was_killed(killed: str, write_plugin: WritePlugin) -> None:
    plugin = write_plugin(**{"tests/test_sample": SLEEPING_TEST})

    program = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(plugin), killed], check=False, capture_output=True, text=True, timeout=30
    )

    assert program.returncode == -signal.SIGKILL, program.stderr
    processes = [int(pid) for pid in program.stdout.split()]
    assert len(processes) == 2 * SANDBOXES
    until(lambda: not any(map(is_sandbox, processes)), what="every sandbox has ended", within_s=10)
