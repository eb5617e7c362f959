# expect: error FileNotFoundError:
"""Reads the environment of the server."""


def act(where):
    with open(f"/proc/{where['server_pid']}/environ") as file:
        return file.read()
