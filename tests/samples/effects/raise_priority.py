# expect: answer []
"""Asks to run before everything else."""

from ..reach import module


def act(where):
    os = module("os")
    granted = []
    for what, ask in (
        ("fifo", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))),
        ("nice", lambda: os.nice(-20)),
        ("priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, -20)),
    ):
        try:
            ask()
            granted.append(what)
        except OSError:
            continue
    return granted
