# expect: error ValueError: x{100}
"""Raises an exception with 100 MiB of text."""


def act(where):
    raise ValueError("x" * (100 * 1024**2))
