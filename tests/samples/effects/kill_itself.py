# expect: error PluginCrashed: .*SIGKILL
"""Kills its own process."""

from ..reach import module


def act(where):
    os = module("os")
    os.kill(os.getpid(), 9)
    module("time").sleep(60)
