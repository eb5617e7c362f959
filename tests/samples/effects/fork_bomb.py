# expect: error PermissionError:
"""Doubles itself for ever."""

from ..reach import module


def act(where):
    while True:
        module("os").fork()
