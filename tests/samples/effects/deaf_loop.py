# expect: error PluginTimedOut:
"""Never returns, whatever signal or exception it is sent."""

from ..reach import module


def act(where):
    signal, time = module("signal"), module("time")
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, lambda *_: None)
        except (OSError, ValueError):
            continue
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            continue
