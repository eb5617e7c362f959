"""Watches what hosts use, from outside, and says which of them must be stopped and why.

What the kernel's limits cannot see: memory that is not private data (page tables, files in scratch), processor time
between calls, threads where no user id is dropped to. One thread looks at all hosts, so no event loop waits for /proc.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mixpeek.errors import PluginCpuExceeded, PluginError, PluginOutOfMemory, PluginTooManyThreads
from mixpeek.execution.idle_groups import IdleHost, make_groups
from mixpeek.execution.port import HostSpec
from mixpeek.host.patience import kept_waiting_s
from mixpeek.host.tighten import BACKGROUND_NICENESS

log = logging.getLogger(__name__)

TICK_S = 0.25
MAX_THREADS = 512
# Processor seconds a host may use while nobody waits for it; a tenth of a core is forgiven all the time.
IDLE_CPU_S = 4.0
IDLE_SHARE = 0.1
# A call may use this many cores for as long as it may take.
CALL_CORES = 4.0
# Stacks and page tables lie outside what RLIMIT_DATA counts.
MEMORY_SLACK_BYTES = 64 * 1024**2

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_SCRATCH = ("tmp", "dev/shm")
# The kernel's own memory for one file or link, even an empty one: 1,006 bytes measured.
_INODE_BYTES = 1024


@dataclass(frozen=True)
class Usage:
    """What a process holds and has used: bytes of memory and scratch, processor seconds, threads."""

    memory_bytes: int
    cpu_s: float
    threads: int


class Watched(Protocol):
    """The side of a host that the watchdog needs."""

    @property
    def running_call(self) -> tuple[int, float] | None:
        """The call under way, as a number of its own and its time limit in seconds; None when nobody waits."""

    @property
    def calls_begun(self) -> int:
        """A number that grows with each call it is sent."""

    def stop(self, reason: PluginError) -> None:
        """End the host for this reason; called from the watchdog's thread."""


@dataclass
class Judge:
    """Decides from one look after another whether a host may go on."""

    memory_bytes: int
    call: int | None = None
    begun: int = 0
    spent_idle_s: float = 0.0
    spent_in_call_s: float = 0.0
    cpu_s: float | None = None

    def verdict(
        self, usage: Usage, call: tuple[int, float] | None, elapsed_s: float, *, begun: int = 0
    ) -> PluginError | None:
        """Return why the host must be stopped, None if it may go on.

        Args:
            call: number and time limit of the call under way. elapsed_s: seconds since the last look.
            begun: a number that grows with each call.
        """
        used = 0.0 if self.cpu_s is None else max(0.0, usage.cpu_s - self.cpu_s)
        self.cpu_s = usage.cpu_s
        number = None if call is None else call[0]
        # Time used in a tick that saw a call end or begin is nobody's: it may belong to either side. A host that is
        # asked briefly and often is mostly seen between two calls.
        is_new = number != self.call
        settled = not is_new and begun == self.begun
        self.call, self.begun = number, begun
        if usage.memory_bytes > self.memory_bytes + MEMORY_SLACK_BYTES:
            held, allowed = usage.memory_bytes // 1024**2, self.memory_bytes // 1024**2
            return PluginOutOfMemory(f"The plugin held {held:,} MiB in memory and scratch, {allowed:,} are allowed")
        if usage.threads > MAX_THREADS:
            return PluginTooManyThreads(f"The plugin ran {usage.threads} threads, {MAX_THREADS} are allowed")
        if call is None:
            return self._idle(used if settled else 0.0, elapsed_s)
        return self._in_call(used, call[1], is_new=is_new)

    def _idle(self, used_s: float, elapsed_s: float) -> PluginError | None:
        self.spent_idle_s = max(0.0, self.spent_idle_s + used_s - IDLE_SHARE * elapsed_s)
        if self.spent_idle_s <= IDLE_CPU_S:
            return None
        return PluginCpuExceeded(
            f"The plugin used {self.spent_idle_s:.1f} s of processor time while no call was waiting for it"
        )

    def _in_call(self, used_s: float, timeout_s: float, *, is_new: bool) -> PluginError | None:
        self.spent_in_call_s = 0.0 if is_new else self.spent_in_call_s + used_s
        if self.spent_in_call_s <= CALL_CORES * timeout_s:
            return None
        return PluginCpuExceeded(
            f"The plugin used {self.spent_in_call_s:.1f} s of processor time in a call that may take {timeout_s:g} s"
        )


@dataclass
class _Watch:
    host: Watched
    pid: int
    judge: Judge
    idle: IdleHost | None
    seen_at: float = field(default_factory=time.monotonic)


class Watchdog:
    """A thread that looks at every host four times a second; it runs while there are hosts."""

    def __init__(self) -> None:
        self._watches: dict[int, _Watch] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()

    def watch(self, host: Watched, outer_pid: int, spec: HostSpec) -> None:
        """Watch the innermost process under `outer_pid`, which must have started."""
        pid = innermost(outer_pid)
        idle = stand_back(pid, spec)
        with self._lock:
            self._watches[id(host)] = _Watch(host, pid, Judge(spec.memory_bytes), idle)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()

    def forget(self, host: Watched) -> None:
        """Look at this host no more; must be called before its number can be given to another process."""
        with self._lock:
            self._watches.pop(id(host), None)

    def _run(self) -> None:
        while True:
            with self._lock:
                watches = list(self._watches.values())
                if not watches:
                    self._thread = None
                    return
            for watch in watches:
                try:
                    self._look(watch)
                except Exception:
                    # The edge of a loop that must not end: one host that cannot be read leaves the others watched.
                    log.exception("a plugin host could not be watched")
            self._wake.wait(TICK_S)

    def _look(self, watch: _Watch) -> None:
        usage = usage_of(watch.pid)
        if usage is None:
            self.forget(watch.host)  # it has ended, which whoever started it is told by the kernel
            return
        if watch.idle is not None:
            watch.idle.look(usage.cpu_s, kept_waiting_s(watch.pid))
        now = time.monotonic()
        elapsed_s, watch.seen_at = now - watch.seen_at, now
        reason = watch.judge.verdict(usage, watch.host.running_call, elapsed_s, begun=watch.host.calls_begun)
        with self._lock:
            is_watched = self._watches.get(id(watch.host)) is watch
            if reason is not None and is_watched:
                del self._watches[id(watch.host)]
        if reason is not None and is_watched:
            log.warning("a plugin's host was stopped: %s", reason.named)
            watch.host.stop(reason)


def innermost(pid: int) -> int:
    """Return the last of a chain of only children: below bwrap's own processes, the host."""
    while True:
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return pid
        if not children:
            return pid
        pid = int(children[0])


def usage_of(pid: int) -> Usage | None:
    """Return what a process uses, None if it has ended.

    File pages that the kernel may drop at will, such as a mapped model's, are not counted; files in scratch are.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    sizes = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    kib = sum(int(sizes[name].split()[0]) for name in ("RssAnon", "VmSwap", "VmPTE") if name in sizes)
    cpu_s = (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS
    return Usage(kib * 1024 + _scratch_bytes(pid), cpu_s, int(sizes.get("Threads", "1")))


def _scratch_bytes(pid: int) -> int:
    return sum(_tmpfs_bytes(f"/proc/{pid}/root/{folder}") for folder in _SCRATCH)


def _tmpfs_bytes(path: str) -> int:
    """Return the memory that a host's own file system takes, empty files too; 0 where it has none we may look at."""
    try:
        if Path(path).stat().st_dev == Path(f"/{path.split('/', 4)[4]}").stat().st_dev:
            return 0  # without a sandbox the host sees the machine's own folder
        stats = os.statvfs(path)
    except OSError:
        return 0
    return (stats.f_blocks - stats.f_bfree) * stats.f_frsize + (stats.f_files - stats.f_ffree) * _INODE_BYTES


def stand_back(pid: int, spec: HostSpec) -> IdleHost | None:
    """Have the kernel end this process before ours when memory is short; in the background, run it after ours too.

    One that is to be idle runs when nobody else does, where the kernel can be told: it is returned, to be looked after.

    A host's /proc is read-only, so it cannot undo this. Niceness it takes on by itself; but where the kernel groups
    sessions, as it does outside of containers and services, a session of its own is weighed by the group's niceness
    alone: without this a batch's hosts each held a core as firmly as all of the server together.
    """
    wanted = {"oom_score_adj": 800}
    if spec.background:
        wanted["autogroup"] = BACKGROUND_NICENESS
    for name, value in wanted.items():
        with contextlib.suppress(OSError):  # no such grouping in this kernel, or no right to set it
            Path(f"/proc/{pid}/{name}").write_text(str(value))
    groups = make_groups() if spec.idle else None
    return None if groups is None else IdleHost(pid, groups)
