# expect: error PluginReplyInvalid: .*Bomb has no JSON form
"""Answers with an object that would run a command if it were unpickled."""

from ..reach import module


class Bomb:
    def __reduce__(self):
        return module("os").system, ("touch /tmp/exploded",)


def act(where):
    return Bomb()
