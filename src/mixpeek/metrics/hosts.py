"""What hosts use, read from the kernel when somebody asks; of other machines, what these told last."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
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
        # By the pid of the host's outermost process; of a host on another machine, by its number, below 0.
        self._cpu_s: dict[int, float] = {}
        self._spent_s: dict[tuple[str, str, str], float] = {}

    def samples(self, versions: Iterable[Seen]) -> Samples:
        """Return what the hosts of these versions use, and forget all others."""
        before, self._cpu_s = self._cpu_s, {}
        spent_before, self._spent_s = self._spent_s, {}
        samples: Samples = defaultdict(list)
        for seen in versions:
            resident, spent = 0, spent_before.get(seen.labels, 0.0)
            for host, held, used in _usages(seen):
                resident += held
                self._cpu_s[host] = used
                spent += max(0.0, used - before.get(host, 0.0))
            self._spent_s[seen.labels] = spent
            samples["plugin_resident_memory_bytes"].append((seen.labels, resident))
            samples["plugin_cpu_seconds_total"].append((seen.labels, spent))
        return samples


def _usages(seen: Seen) -> Iterator[tuple[int, int, float]]:
    """Yield each host of a version: what it is known by, what it holds, and the processor time it has used."""
    for pid in seen.pids:
        usage = usage_of(innermost(pid))
        if usage is not None:
            yield pid, *usage
    for told in seen.told:
        yield -told.host, told.memory_bytes, told.cpu_s


def usage_of(pid: int) -> tuple[int, float] | None:
    """Return resident bytes and processor seconds of a process, None if it has ended."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, IndexError):
        return None
    return int(pages) * _PAGE_BYTES, (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS
