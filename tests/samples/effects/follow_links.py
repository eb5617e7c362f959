# expect: error FileNotFoundError:
"""Reaches the data folder through a link in scratch."""

from ..reach import module


def act(where):
    os = module("os")
    os.symlink(where["data_dir"], "/tmp/way_out")
    return os.listdir("/tmp/way_out")
