# expect: error (PluginReplyInvalid|PluginTimedOut):
"""Replaces how the host writes lengths."""

from ..reach import module


def act(where):
    module("mixpeek.host.frames").LENGTHS = module("struct").Struct(">II")
    return "honest"
