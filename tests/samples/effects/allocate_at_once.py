# expect: error PluginOutOfMemory:
"""Takes 30 GiB of memory."""


def act(where):
    return len(bytearray(30 * 1024**3))
