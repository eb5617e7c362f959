# expect: error PluginReplyInvalid:
"""Answers with a list in a list in a list, two hundred thousand deep."""


def act(where):
    nested = []
    for _ in range(200_000):
        nested = [nested]
    return nested
