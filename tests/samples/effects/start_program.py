# expect: error PermissionError:
"""Starts a program."""

from ..reach import module


def act(where):
    module("subprocess").run(["/usr/bin/env"])
