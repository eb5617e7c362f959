"""Writing and reading at once, beside a transport: for bytes that somebody waits for to be woken.

A transport's own bookkeeping for a write, and the kernel's waking of a loop that sleeps, each cost a short call a large
part of its own time.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

# As long as a call, or a caller between two requests, may take that is waited for on the spot.
LINGER_S = 0.0003
_MOST_SKIPPED = 1023
_READ_BYTES = 64 * 1024
# On a single core the other side could not even run meanwhile.
_HAS_CORES = (os.cpu_count() or 1) > 1


def write_now(transport: asyncio.WriteTransport, fd: int, data: bytes) -> None:
    """Write to a transport's own, non-blocking file; what does not fit, or must wait its turn, the transport writes."""
    if not transport.get_write_buffer_size():
        try:
            written = os.write(fd, data)
        except OSError:  # full, or closed by the other side: the transport meets the same and deals with it
            written = 0
        if written == len(data):
            return
        data = data[written:]
    transport.write(data)


class Lingerer:
    """Waits on the spot for what another process is about to send; ever more seldom where it sends too late.

    Args:
        yields: lend the processor between two looks, to who is to send and may have been put on it. A host that
            computes has a processor of its own: there, the lending would only cost.
        apart_from: the pid of who is to send; where both were put on one processor, this thread leaves it.
    """

    def __init__(self, *, yields: bool = False, apart_from: int = 0) -> None:
        self._yields = yields
        self._apart_from = apart_from
        self._arrived = memoryview(bytearray(_READ_BYTES))
        self._late = self._skip = 0

    def read(self, fd: int, hear: Callable[[memoryview], bool]) -> None:
        """Read the non-blocking `fd` until `hear` returns True, for 0.3 ms at most; its end is left to be read."""
        if not _HAS_CORES:
            return
        if self._skip:
            self._skip -= 1
            return
        ends_at = time.perf_counter() + LINGER_S
        while time.perf_counter() < ends_at:
            try:
                size = os.readv(fd, [self._arrived])
            except BlockingIOError:
                if self._yields:
                    os.sched_yield()
                continue
            except OSError:
                return
            if not size:
                return
            if hear(self._arrived[:size]):
                self._late = 0
                return
        self._skip = self._late = min(2 * self._late + 1, _MOST_SKIPPED)
        if self._apart_from:
            leave_processor_of(self._apart_from)


def leave_processor_of(pid: int) -> bool:
    """Have this thread go on on another processor if `pid` is on the same one; return whether it does.

    Processes that wake each other are kept together by the kernel, even beside an idle processor, and then the one
    that looks out keeps the other from what it is waited for.
    """
    here = _processor_of("thread-self")
    if here is None or here != _processor_of(str(pid)):
        return False
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, allowed - {here})
        os.sched_setaffinity(0, allowed)
    except OSError:  # there is no other, or it may not be chosen here
        return False
    return True


def _processor_of(process: str) -> int | None:
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[36])
    except (OSError, ValueError, IndexError):
        return None
