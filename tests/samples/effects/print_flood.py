# expect: error PluginFlooded:
"""Prints 1 GiB."""

from ..reach import module


def act(where):
    os = module("os")
    block = b"x" * 1024**2
    for _ in range(1024):
        os.write(1, block)
