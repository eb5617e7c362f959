"""The keys of a data dir in one file of their own, to be kept apart from the backups that they open.

A backup holds secrets encrypted; who has it and this file together can read them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from mixpeek.errors import AlreadyExists, Conflict, InvalidRequest
from mixpeek.secrets.keys import FILE_NAME
from mixpeek.server.datadir import DataDir

ADMIN, SIGNING, SECRETS = "admin.key", "signing.key", FILE_NAME


def read_keys(directory: DataDir) -> dict[str, list[str]]:
    """Return the lines of each key file that a data dir has, by its name."""
    return {
        name: (directory.path / name).read_text().split()
        for name in (ADMIN, SIGNING, SECRETS)
        if (directory.path / name).is_file()
    }


def check_free(path: Path) -> None:
    """Raise AlreadyExists or InvalidRequest where a key file cannot be written."""
    if os.path.lexists(path):
        raise AlreadyExists(f"There is something at {path} already", hint="Give each file of keys a name of its own")
    if not path.parent.is_dir():
        raise InvalidRequest(f"There is no folder {path.parent}", hint="Make it first, or name another")


def write_key_file(path: Path, keys: dict[str, list[str]], later: dict[str, list[str]]) -> None:
    """Keep keys in a new file that only this user can read: those of before a snapshot, and those of after it.

    A rotation in between encrypts the snapshot's secrets with keys of which either reading may lack one.
    """
    both = {name: list(dict.fromkeys([*later.get(name, []), *lines])) for name, lines in {**later, **keys}.items()}
    single = {name: lines[:1] if name != SECRETS else lines for name, lines in both.items()}
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(single, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def restore_keys(path: Path, directory: DataDir) -> None:
    """Write the keys of a file into a data dir; one that is there already must be the same.

    Raises: InvalidRequest: the file holds no keys. Conflict: the data dir has another key.
    """
    try:
        keys = dict(json.loads(path.read_text()))
        texts = {
            name: "".join(f"{line}\n" for line in keys[name]) for name in (ADMIN, SIGNING, SECRETS) if name in keys
        }
    except (OSError, ValueError, TypeError) as error:
        raise InvalidRequest(
            f"{path} cannot be read as a file of keys: {type(error).__name__}",
            hint="Name the file that `mixpeek backup … --keys FILE` wrote",
        ) from None
    for name, text in texts.items():
        place = directory.path / name
        if place.exists() and place.read_text().split() != text.split():
            raise Conflict(f"{place} holds another key", hint="Restore into a new data dir, or leave out `--keys`")
    for name, text in texts.items():
        directory.keep_key(name, text)
