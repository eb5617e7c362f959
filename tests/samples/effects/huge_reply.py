# expect: error (PluginReplyTooLarge|PluginOutOfMemory):
"""Answers with 1 GiB."""


def act(where):
    return "x" * 1024**3
