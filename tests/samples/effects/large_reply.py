# expect: error PluginReplyTooLarge:
"""Answers with 16 MiB."""


def act(where):
    return "x" * (16 * 1024**2)
