# expect: error PluginReplyInvalid:
"""Replaces what the host writes its replies with."""

from ..reach import module


def act(where):
    encoder = module("json").JSONEncoder
    own = encoder.encode

    def forge(*_):
        encoder.encode = own
        return '{"id": 1, "ok": true, "result": NaN}'

    encoder.encode = forge
    return "honest"
