# expect: answer "left behind"
"""Leaves handlers and threads that try to outlive the call."""

from ..reach import module


def act(where):
    atexit, threading, time = module("atexit"), module("threading"), module("time")
    atexit.register(time.sleep, 60)
    threading.Thread(target=time.sleep, args=(60,), daemon=False).start()
    return "left behind"
