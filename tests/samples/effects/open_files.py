# expect: error PluginTooManyFiles:
"""Opens files until there are no more."""


def act(where):
    held = []
    while True:
        held.append(open("/plugin/hostile/manifest.py"))  # noqa: SIM115
