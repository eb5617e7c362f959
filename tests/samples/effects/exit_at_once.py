# expect: error PluginCrashed: .*status 0
"""Ends the process as if all were well."""

from ..reach import module


def act(where):
    module("os")._exit(0)
