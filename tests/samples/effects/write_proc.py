# expect: answer []
"""Writes its own memory and its place among processes to be ended, through /proc."""

from ..reach import module


def act(where):
    os = module("os")
    written = []
    for name in ("mem", "oom_score_adj", "autogroup", "clear_refs", "setgroups"):
        try:
            os.close(os.open(f"/proc/self/{name}", os.O_WRONLY))
            written.append(name)
        except OSError:
            continue
    return written
