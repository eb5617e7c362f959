# expect: error PluginScratchFull:
"""Makes one file of 10 GiB that takes up nothing."""


def act(where):
    with open("/tmp/holes", "wb") as file:
        file.truncate(10 * 1024**3)
