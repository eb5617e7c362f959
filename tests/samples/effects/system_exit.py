# expect: error SystemExit: 3
"""Leaves with an exception that ends programs."""


def act(where):
    raise SystemExit(3)
