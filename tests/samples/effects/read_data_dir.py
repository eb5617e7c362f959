# expect: error FileNotFoundError:
"""Lists the server's data folder."""

from ..reach import module


def act(where):
    return module("os").listdir(where["data_dir"])
