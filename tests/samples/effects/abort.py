# expect: error PluginCrashed: .*SIGABRT
"""Aborts the process."""

from ..reach import module


def act(where):
    module("os").abort()
