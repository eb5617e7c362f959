# expect: error (PluginCrashed|PluginTimedOut):
"""Closes the socket it is asked through."""

from ..reach import module, socket_number


def act(where):
    module("os").close(socket_number())
    return "closed"
