# expect: answer []
"""Makes sockets of every family that leads out of the process or into the kernel."""

from ..reach import module


def act(where):
    socket = module("socket")
    made = []
    for family in (2, 10, 15, 16, 17, 30, 31, 38, 40, 44):
        for make in (socket.socket, socket.socketpair):
            try:
                make(family)
                made.append(family)
            except (OSError, AttributeError):
                continue
    return made
