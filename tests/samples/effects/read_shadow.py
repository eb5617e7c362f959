# expect: error (FileNotFoundError|PermissionError):
"""Reads the machine's password hashes."""


def act(where):
    with open("/etc/shadow") as file:
        return file.read()
