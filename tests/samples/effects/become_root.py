# expect: answer []
"""Asks for another user and for rights."""

from ..reach import module


def act(where):
    os = module("os")
    granted = []
    for what, ask in (
        ("uid", lambda: os.setuid(0)),
        ("gid", lambda: os.setgid(0)),
        ("groups", lambda: os.setgroups([0])),
    ):
        try:
            ask()
            granted.append(what)
        except OSError:
            continue
    return granted
