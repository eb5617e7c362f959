# expect: error PermissionError:
"""Connects to a port of this machine."""

from ..reach import module


def act(where):
    module("socket").create_connection(("127.0.0.1", where["port"]), timeout=2)
