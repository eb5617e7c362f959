# expect: error PluginTimedOut:
"""Begins a reply and never ends it."""

from ..reach import module, send


def act(where):
    send(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    module("time").sleep(60)
