# expect: error PluginTimedOut:
"""Raises an exception whose text never ends."""


class Odd(Exception):
    def __str__(self):
        while True:
            pass


def act(where):
    raise Odd
