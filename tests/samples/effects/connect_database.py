# expect: error FileNotFoundError:
"""Connects to the server's database."""

from ..reach import module


def act(where):
    socket = module("socket")
    socket.socket(socket.AF_UNIX).connect(where["database"])
