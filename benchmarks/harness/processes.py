"""A contender's processes: all of them, stopped and continued, their memory, their end.

Only one contender runs at a time: Ray's idle processes alone take a share of a small machine that the one being asked
would miss. Stopping (SIGSTOP) rather than ending keeps what each has warmed up, and nothing is started once a round.
"""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from pathlib import Path

import psutil


def end_in_order_when_told() -> None:
    """Have SIGTERM end this process as an exception does: contexts are left, and no stopped process stays behind."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants, parents first; empty if it has ended."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def freeze(pid: int) -> None:
    """Stop a tree, parents first, until no new child has appeared meanwhile."""
    stopped: set[psutil.Process] = set()
    while new := [each for each in tree(pid) if each not in stopped]:
        for process in new:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP)
            stopped.add(process)


def thaw(pid: int) -> None:
    """Let a tree go on, children first, so that no parent finds them dead."""
    for process in reversed(tree(pid)):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)


def end(pid: int, within_s: float = 20) -> None:
    """Ask a tree's root to end, wait, and kill whatever of the tree is left."""
    members = tree(pid)
    thaw(pid)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).terminate()
    _, alive = psutil.wait_procs(members, within_s)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, 5)


def pss_mb(processes: list[psutil.Process], part: str = "Pss") -> float:
    """Return the memory of processes in MB (10^6 bytes), what they share counted once, or a part, as `Pss_Shmem`."""
    line = re.compile(rf"^{part}:\s+(\d+) kB", re.MULTILINE)
    kilobytes = 0
    for process in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found = line.search(Path(f"/proc/{process.pid}/smaps_rollup").read_text())
            kilobytes += int(found[1]) if found else 0
    return kilobytes * 1024 / 1e6
