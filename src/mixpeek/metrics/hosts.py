"""What hosts use, read from the kernel when somebody asks."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from mixpeek.execution.watchdog import innermost
from mixpeek.metrics.families import Samples
from mixpeek.metrics.versions import Seen

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class HostUsage:
    """Memory and processor time of every version's hosts; used by one thread at a time.

    Processor time is added up from one look to the next, so that a host which ends takes nothing back. What it used
    after the last look is lost.
    """

    def __init__(self) -> None:
        self._cpu_s: dict[int, float] = {}  # by the pid of the host's outermost process
        self._spent_s: dict[tuple[str, str, str], float] = {}

    def samples(self, versions: Iterable[Seen]) -> Samples:
        """Return what the hosts of these versions use, and forget all others."""
        before, self._cpu_s = self._cpu_s, {}
        spent_before, self._spent_s = self._spent_s, {}
        samples: Samples = defaultdict(list)
        for seen in versions:
            resident, spent = 0, spent_before.get(seen.labels, 0.0)
            for pid in seen.pids:
                usage = usage_of(innermost(pid))
                if usage is None:
                    continue
                resident += usage[0]
                self._cpu_s[pid] = usage[1]
                spent += max(0.0, usage[1] - before.get(pid, 0.0))
            self._spent_s[seen.labels] = spent
            samples["plugin_resident_memory_bytes"].append((seen.labels, resident))
            samples["plugin_cpu_seconds_total"].append((seen.labels, spent))
        return samples


def usage_of(pid: int) -> tuple[int, float] | None:
    """Return resident bytes and processor seconds of a process, None if it has ended."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, IndexError):
        return None
    return int(pages) * _PAGE_BYTES, (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS
