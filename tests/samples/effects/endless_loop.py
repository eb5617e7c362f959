# expect: error PluginTimedOut:
"""Never returns."""


def act(where):
    while True:
        pass
