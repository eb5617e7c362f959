# expect: error PluginCrashed: .*SIGSEGV
"""Reads address 0."""

from ..reach import module


def act(where):
    return module("ctypes").string_at(0)
