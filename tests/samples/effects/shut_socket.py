# expect: error PluginCrashed:
"""Ends the conversation through a second handle of the socket."""

from ..reach import module, socket_number


def act(where):
    socket = module("socket").socket(fileno=module("os").dup(socket_number()))
    socket.shutdown(2)
    module("time").sleep(60)
