# expect: error FileNotFoundError:
"""Reads a plugin of another namespace."""


def act(where):
    with open(where["other_version"]) as file:
        return file.read()
