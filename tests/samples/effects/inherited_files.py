# expect: answer 1
"""Looks for files and sockets that the server left open in it; the one it finds is its own."""

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
