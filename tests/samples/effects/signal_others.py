# expect: answer []
"""Ends other processes of the machine."""

from ..reach import module


def act(where):
    os = module("os")
    reached = []
    for pid in (*where["pids"], 1, -1):
        try:
            os.kill(pid, 9)
            reached.append(pid)
        except OSError:
            continue
    return reached
