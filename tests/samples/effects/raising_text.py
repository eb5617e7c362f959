# expect: error Odd: .*cannot be read: SystemExit
"""Raises an exception whose text cannot be read."""


class Odd(Exception):
    def __str__(self):
        raise SystemExit


def act(where):
    raise Odd
