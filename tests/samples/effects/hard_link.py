# expect: error OSError: .*cross-device
"""Gives a file of the system a second name in scratch."""

from ..reach import module


def act(where):
    module("os").link("/usr/bin/env", "/tmp/env")
