# expect: error PluginReplyTooLarge:
"""Answers with lists that take far longer to read than to write."""


def act(where):
    return [[]] * 500_000
