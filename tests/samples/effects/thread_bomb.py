# expect: error PluginTooManyThreads:
"""Starts threads for ever."""

from ..reach import module


def act(where):
    threading, time = module("threading"), module("time")
    while True:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
