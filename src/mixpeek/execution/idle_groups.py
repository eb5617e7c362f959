"""Control groups for a batch's hosts: one runs only where nobody else wants a processor, one is owed a turn (0051).

The least niceness still has a right to one part in seventy, and the kernel grants it in turns of a whole tick, 4 ms on
many machines; and it takes a processor that runs nothing else for a busy one, so a request wakes up behind others.
Neither is so for an idle group (`cpu.idle`). But where all processors are busy for long, it is owed next to nothing:
a host that was kept waiting moves to those that are owed a turn, until it has had it.
Making a group takes a right that root has, and a service to which groups are delegated.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

# One of each for all servers of a machine: they hold nothing but processes, and go with the group that they are in.
IDLE = "mixpeek-idle"
# Weighs as much as one process of others, whatever the niceness of those within.
OWED = "mixpeek-owed"
# A host is owed this part of the time that it was kept waiting; its turn comes once that makes so many seconds.
SHARE = 0.05
TURN_S = 0.2


@dataclass(frozen=True)
class Groups:
    """Where hosts of batches run: as a rule in `idle`, in `owed` while they are owed a turn."""

    idle: Path
    owed: Path


@dataclass
class Dues:
    """What a host is owed of processors, in seconds, from one look after another."""

    owed_s: float = 0.0
    is_due: bool = False

    def note(self, ran_s: float, waited_s: float) -> bool:
        """Return whether it is due a turn, having run and waited so long since the last look."""
        # Of a long wait no more than two turns are kept: what was missed is not made up for at the expense of requests.
        self.owed_s = min(2 * TURN_S, max(0.0, self.owed_s + SHARE * waited_s - ran_s))
        self.is_due = self.owed_s > 0 if self.is_due else self.owed_s >= TURN_S
        return self.is_due


@dataclass
class IdleHost:
    """The place of one host of a batch, by the process that runs plugin code."""

    pid: int
    groups: Groups
    _dues: Dues = field(default_factory=Dues)
    _cpu_s: float = 0.0
    _kept_s: float = 0.0

    def __post_init__(self) -> None:
        self._move(self.groups.idle)

    def look(self, cpu_s: float, kept_s: float) -> None:
        """Move it if its turn has come or is over; it has run, and waited to run, for so many seconds in all."""
        ran_s, self._cpu_s = cpu_s - self._cpu_s, cpu_s
        waited_s, self._kept_s = kept_s - self._kept_s, kept_s
        was_due = self._dues.is_due
        if self._dues.note(ran_s, waited_s) is not was_due:
            self._move(self.groups.idle if was_due else self.groups.owed)

    def _move(self, group: Path) -> None:
        """Move the process, and all it starts from now on."""
        try:
            (group / "cgroup.procs").write_text(str(self.pid))
        except OSError as error:  # it has ended, or the group was taken away
            log.info("process %d is not in %s: %s", self.pid, group, error)


@functools.cache
def make_groups() -> Groups | None:
    """Return the groups, made if need be; None where none may be made, or the kernel (before 5.15) knows no such."""
    try:
        told = Path("/proc/self/mounts").read_text(), Path("/proc/self/cgroup").read_text()
    except OSError:  # no Linux, or one without groups
        told = "", ""
    for parent in parents(*told):
        groups = Groups(parent / IDLE, parent / OWED)
        try:
            _make(groups)
        except OSError as error:
            log.debug("groups cannot be made in %s: %s", parent, error)
            for group in (groups.idle, groups.owed):
                with contextlib.suppress(OSError):  # it was not made, or somebody is in it
                    group.rmdir()
            continue
        log.info("hosts of batches run where a processor is idle (%s)", groups.idle)
        return groups
    log.info(
        "hosts of batches run at the least niceness: no control group for processors may be made here. For requests"
        " to be as quick beside a batch, run the server as root or with Delegate=cpu and DelegateSubgroup=server"
    )
    return None


def _make(groups: Groups) -> None:
    controllers = groups.idle.parent / "cgroup.subtree_control"
    if controllers.exists() and "cpu" not in controllers.read_text().split():  # the second version hands down none
        controllers.write_text("+cpu")
    groups.idle.mkdir(exist_ok=True)
    (groups.idle / "cpu.idle").write_text("1")
    groups.owed.mkdir(exist_ok=True)


def parents(mounts: str, memberships: str) -> Iterator[Path]:
    """Yield where a group for processors may be made: below our own, or beside it where that is delegated.

    Args:
        mounts: as `/proc/self/mounts` has it. memberships: as `/proc/self/cgroup`, in the same view of the tree.
    """
    of = {line.split(":", 2)[1]: line.split(":", 2)[2].lstrip("/") for line in memberships.splitlines()}
    for line in mounts.splitlines():
        _, folder, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            yield from (Path(folder) / path for names, path in of.items() if "cpu" in names.split(","))
        elif kind == "cgroup2" and "" in of:
            own = Path(folder) / of[""]
            # A group of the second version has either processes or groups with controllers, but for the first of all.
            if not of[""]:
                yield own
            elif _is_delegated(own.parent):
                yield own.parent


def _is_delegated(group: Path) -> bool:
    """Return whether systemd has left what is below a group to us: it alone may write elsewhere."""
    try:
        return os.getxattr(group, "user.delegate") == b"1"
    except OSError:
        return False
