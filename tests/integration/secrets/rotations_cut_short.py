"""Run by a test: rotates the master key and is killed at its first step, at its second, ... until one gets through.

Usage: rotations_cut_short.py DATABASE_URL KEY_FILE NAMESPACE; prints how many were killed. After each, every secret
(`name` with the value `value of name`) must be readable with what is on the disk, and one more can be kept.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import psycopg
from pydantic import SecretStr

from mixpeek.db.pool import Connection, scalar
from mixpeek.secrets import service
from mixpeek.secrets.keys import KeyFile
from mixpeek.secrets.service import Vault

# What counts as a step: whatever touches the disk or the database, and each turn of the vault between.
ON_DISK = {"open", "fdopen", "write", "flush", "fsync", "link", "unlink", "rename", "replace", "close"}
IN_DATABASE = {"execute", "executemany", "commit"}


class Transactions:
    """Transactions like the pool's, without its threads."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def __call__(self) -> Iterator[Connection]:
        with psycopg.connect(self._url) as connection:
            yield connection


def rotate_and_die(url: str, path: Path, at_step: int) -> NoReturn:
    """Rotate in this process, which is killed before its `at_step`-th step or exits with 0."""
    left = at_step

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal left
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        is_step = (
            (event == "c_call" and argument.__name__ in ON_DISK and file.endswith(("secrets/keys.py", "/pathlib.py")))
            or (event == "call" and name in IN_DATABASE and "/psycopg/" in file)
            or (event in ("call", "return") and file.endswith("mixpeek/secrets/service.py"))
        )
        if is_step:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    transactions = Transactions(url)
    vault = Vault(KeyFile(path))
    sys.setprofile(count)
    vault.rotate_key(transactions)
    sys.setprofile(None)
    os._exit(0)


def check(url: str, path: Path, namespace_id: str, number: int) -> None:
    vault = Vault(KeyFile(path))
    with Transactions(url)() as connection:
        organization_id = scalar(
            connection, "SELECT organization_id FROM namespaces WHERE namespace_id = %s", [namespace_id]
        )
        vault.create(connection, organization_id, "new", SecretStr("value of new"))
        names = service.list_names(connection, namespace_id)
        assert len(names) > 3
        for name in names:
            assert vault.reveal(connection, namespace_id, name) == f"value of {name}", (number, name)
        service.delete_secret(connection, organization_id, "new")


def main(url: str, path: Path, namespace_id: str) -> int:
    killed = 0
    while True:
        child = os.fork()
        if child == 0:
            try:
                rotate_and_die(url, path, killed + 1)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        check(url, path, namespace_id, killed)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, "the rotation failed; see above"
            return killed
        assert os.WTERMSIG(status) == signal.SIGKILL
        killed += 1


if __name__ == "__main__":
    print(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
