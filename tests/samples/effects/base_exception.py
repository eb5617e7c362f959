# expect: error Stop: enough
"""Raises what `except Exception` does not catch."""


class Stop(BaseException):
    pass


def act(where):
    raise Stop("enough")
