# expect: error PluginReplyInvalid: .*not Unicode
"""Answers with text that JSON can escape and nothing can store."""


def act(where):
    return "\ud800"
