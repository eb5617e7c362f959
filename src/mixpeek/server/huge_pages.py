"""The process's own memory on huge pages, so that what it has loaded takes few places in the processor's page tables.

A process that sleeps for some milliseconds between two requests finds none of its pages known there, and in a virtual
machine each is looked up through two sets of tables: a search took it a third more processor time (decision 0052).
Most systems give huge pages to who asks for them, and Python's allocator does not ask.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

PAGE = 2 * 1024**2
# Linux 6.1: collapse now, whatever the system does by itself. Not in the `mmap` module.
_MADV_COLLAPSE = 25


def move_to_huge_pages() -> None:
    """Have what this process holds by now moved, in a thread of its own; where the kernel cannot, nothing changes."""
    threading.Thread(target=_move, name="huge-pages", daemon=True).start()


def _move() -> None:
    try:
        maps = Path("/proc/self/maps").read_text()
        madvise = ctypes.CDLL(None).madvise
    except (OSError, AttributeError) as error:  # no Linux
        log.debug("no huge pages: %s", error)
        return
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    moved = sum(madvise(start, PAGE, _MADV_COLLAPSE) == 0 for start in aligned(maps))
    log.debug("%d MiB moved to huge pages", moved * PAGE // 1024**2)


def aligned(maps: str) -> Iterator[int]:
    """Yield the addresses at which a whole huge page of private, writable memory without a file begins.

    Args: maps: as `/proc/PID/maps` has it.
    """
    for line in maps.splitlines():
        span, rights, _, _, inode, *name = line.split()
        if rights != "rw-p" or inode != "0" or (name and name != ["[heap]"]):
            continue
        start, end = (int(address, 16) for address in span.split("-"))
        yield from range(-(-start // PAGE) * PAGE, end // PAGE * PAGE, PAGE)
