"""A control group whose processes run only where nobody else on this machine wants a processor (`cpu.idle`).

The least niceness still has a right to one part in seventy, and the kernel grants it in turns of a whole tick, 4 ms on
many machines; and it takes a processor that runs nothing else for a busy one, so a request wakes up behind others.
Neither is so for an idle group. Making one takes a right that root has, and a service to which groups are delegated.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

# One for all servers of a machine: it holds nothing but the processes in it, and goes with the group that it is in.
NAME = "mixpeek-idle"


def join_idle_group(pid: int) -> None:
    """Move a process, and all it starts from now on, into the idle group, where there is one."""
    group = make_idle_group()
    if group is None:
        return
    try:
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:  # it has ended, or the group was taken away
        log.info("process %d runs at its niceness only: %s", pid, error)


@functools.cache
def make_idle_group() -> Path | None:
    """Return the group, made if need be; None where none may be made, or the kernel (before 5.15) knows no such."""
    try:
        told = Path("/proc/self/mounts").read_text(), Path("/proc/self/cgroup").read_text()
    except OSError:  # no Linux, or one without groups
        told = "", ""
    for parent in parents(*told):
        group = parent / NAME
        try:
            group.mkdir(exist_ok=True)
            (group / "cpu.idle").write_text("1")
        except OSError as error:
            log.debug("%s cannot be made: %s", group, error)
            with contextlib.suppress(OSError):  # it was not made, or somebody is in it
                group.rmdir()
            continue
        log.info("hosts of batches run where a processor is idle (%s)", group)
        return group
    log.info(
        "hosts of batches run at the least niceness: no control group for processors may be made here. For requests"
        " to be as quick beside a batch, run the server as root or with Delegate=cpu and DelegateSubgroup=server"
    )
    return None


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
