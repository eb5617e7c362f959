# expect: error PluginTimedOut:
"""Finds the host's own objects and makes them keep silent."""

from ..reach import module


def act(where):
    for item in module("gc").get_objects():
        if type(item).__name__ == "Server":
            item._send = item._flush = lambda *_: None
    return "honest"
