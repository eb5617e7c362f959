# expect: error PluginScratchFull:
"""Writes 10 GiB into its scratch folder."""


def act(where):
    block = b"x" * 1024**2
    for number in range(10 * 1024):
        with open(f"/tmp/{number % 8}", "ab") as file:
            file.write(block)
