# expect: error PluginReplyInvalid: .*broke the protocol
"""Answers a request that nobody made."""

from ..reach import frame, module, send


def act(where):
    send(frame(b'{"id": 1000000, "ok": true, "result": {"result": "forged"}}'))
    module("time").sleep(60)
