# expect: error PluginReplyInvalid: .*over the limit
"""Announces 200 MiB of table where none was asked for."""

from ..reach import module, send


def act(where):
    send(b"\x02\x00\x00\x00\x00\x00\x80\x0c{}")
    module("time").sleep(60)
