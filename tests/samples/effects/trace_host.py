# expect: error (RuntimeError|PluginCrashed|PluginTimedOut|PluginReplyInvalid)
"""Has every line of the host raise."""

from ..reach import module


def act(where):
    def trace(frame, event, argument):
        raise RuntimeError("traced")

    sys = module("sys")
    frame = sys._getframe()
    while frame:
        frame.f_trace = trace
        frame = frame.f_back
    sys.settrace(trace)
