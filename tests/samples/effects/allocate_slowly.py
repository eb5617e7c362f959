# expect: error PluginOutOfMemory:
"""Takes memory until there is none."""


def act(where):
    held = []
    while True:
        held.append(bytearray(16 * 1024**2))
