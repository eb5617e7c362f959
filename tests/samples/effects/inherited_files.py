# expect: answer 2
"""Looks for files and sockets that the server left open in it; the two it finds are its own: it answers on one and asks on the other."""

from ..reach import module


def act(where):
    os = module("os")
    found = 0
    for number in range(3, 1024):
        try:
            os.fstat(number)
            found += 1
        except OSError:
            continue
    return found
