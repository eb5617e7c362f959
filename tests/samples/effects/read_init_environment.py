# expect: error PermissionError:
"""Reads the environment of the first process it can see."""


def act(where):
    with open("/proc/1/environ") as file:
        return file.read()
