"""What of a process's memory is moved to huge pages."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

from mixpeek.server.huge_pages import PAGE, aligned

MAPS = """\
00400000-00a00000 r-xp 00000000 08:01 123 /usr/bin/python3
7f0000100000-7f0000700000 rw-p 00000000 00:00 0
7f0001000000-7f0001400000 rw-p 00000000 00:00 0 [heap]
7f0002000000-7f0002400000 rw-s 00000000 00:01 9 /dev/shm/x
7f0003000000-7f0003100000 rw-p 00000000 00:00 0
7f0004000000-7f0004800000 rw-p 00000000 00:00 0 [stack]
7f0005000000-7f0005800000 r--p 00000000 00:00 0
"""


def test_whole_pages_of_private_memory_without_a_file_are() -> None:
    assert list(aligned(MAPS)) == [
        *(0x7F0000200000 + n * PAGE for n in range(2)),
        *(0x7F0001000000 + n * PAGE for n in range(2)),
    ]


def test_a_process_moves_what_it_holds() -> None:
    program = """
        import mmap, pathlib
        from mixpeek.server.huge_pages import _move

        held = mmap.mmap(-1, 8 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        held.write(b"x" * len(held))
        _move()
        rollup = pathlib.Path("/proc/self/smaps_rollup").read_text()
        print(next(line.split()[1] for line in rollup.splitlines() if line.startswith("AnonHugePages")))
        assert held[:] == b"x" * len(held)
    """
    done = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True)
    if not int(done.stdout):
        pytest.skip("this kernel moves nothing when it is asked")

    assert int(done.stdout) >= 6 * 1024
