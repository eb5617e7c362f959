# expect: error PluginReplyInvalid:
"""Replaces what the host writes its replies with."""

from ..reach import module


def act(where):
    module("json").JSONEncoder.encode = lambda *_: '{"id": 1, "ok": true, "result": {"result": "forged"}}'
    return "honest"
