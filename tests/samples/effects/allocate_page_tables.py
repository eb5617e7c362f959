# expect: error (PluginOutOfMemory|PluginTimedOut):
"""Fills the kernel's memory with tables of pages that it only reads."""

from ..reach import module


def act(where):
    mmap = module("mmap")
    pages = mmap.mmap(-1, 4 * 1024**4, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)
    return sum(pages[at] for at in range(0, len(pages), 2 * 1024**2))
