# expect: error PluginReplyInvalid: .*over the limit
"""Announces a reply of 4 GiB."""

from ..reach import module, send


def act(where):
    send(b"\xff\xff\xff\xff\x00\x00\x00\x00")
    send(b"x" * 1024**2)
    module("time").sleep(60)
