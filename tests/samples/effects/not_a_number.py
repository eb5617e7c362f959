# expect: error PluginReplyInvalid: .*JSON
"""Answers with numbers that JSON does not have."""


def act(where):
    return {"embedding": [float("nan"), float("inf")]}
