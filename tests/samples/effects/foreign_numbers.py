# expect: error PluginCrashed: .*SIGSYS
"""Makes a call by the numbers of another processor interface (x32)."""

from ..reach import module


def act(where):
    return module("ctypes").CDLL(None).syscall(0x40000000 + 39)
