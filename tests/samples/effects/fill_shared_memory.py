# expect: error PluginScratchFull:
"""Writes 10 GiB into /dev/shm."""


def act(where):
    block = b"x" * 1024**2
    with open("/dev/shm/block", "wb") as file:
        for _ in range(10 * 1024):
            file.write(block)
