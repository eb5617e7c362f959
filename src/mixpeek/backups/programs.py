"""PostgreSQL's own `pg_dump` and `pg_restore`: of the embedded server's package, or the machine's if that is newer."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mixpeek.db.embedded import binaries
from mixpeek.errors import PlatformError

# The oldest whose settings what `pg_restore` of the embedded server's package writes can name.
OLDEST_TARGET = 17
_PIECE = 1 << 20


def dump(url: str, snapshot: str, server: int) -> Iterator[bytes]:
    """Yield the custom-format dump of an exported snapshot; `server` is the server's major version.

    Raises: PlatformError: there is no `pg_dump` as new as the server, or it fails.
    """
    # One level: each further one costs twice the time for a few percent, vectors hardly shrink at all.
    options = ["--format=custom", "--compress=gzip:1", f"--snapshot={snapshot}", "--no-owner", "--no-privileges"]
    with _running("pg_dump", [*options, "--no-unlogged-table-data"], url, server, into=False) as process:
        assert process.stdout is not None
        while piece := process.stdout.read(_PIECE):
            yield piece


def restore(url: str, dumped: Iterable[bytes], server: int) -> None:
    """Write a dump into an empty database in one transaction: all of it, or nothing.

    Raises: PlatformError: there is no `pg_restore` for the server, or it fails; the database is as it was.
    """
    if server < OLDEST_TARGET:
        raise PlatformError(
            f"PostgreSQL {server} is too old to restore into", hint=f"Use PostgreSQL {OLDEST_TARGET} or newer"
        )
    # Comments belong to those who own what they are about: of the extension, a managed service.
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-comments"]
    with _running("pg_restore", options, url, server, into=True) as process:
        assert process.stdin is not None
        # When it has ended early, its own words say why.
        with contextlib.suppress(BrokenPipeError):
            for piece in dumped:
                process.stdin.write(piece)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


@contextlib.contextmanager
def _running(name: str, options: list[str], url: str, server: int, *, into: bool) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with its input or output piped to us: when we are killed, the pipe's end ends it too."""
    parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    # Anybody on the machine may read a command line.
    password = parts.pop("password", None)
    environment = {**os.environ, "LC_ALL": "C", **({"PGPASSWORD": str(password)} if password else {})}
    command = [str(_program(name, server)), *options, "--dbname", make_conninfo(**parts)]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE if into else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if into else subprocess.PIPE,
            stderr=said,
        )
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.wait()
        if process.returncode != 0:
            said.seek(0)
            words = said.read(4000).decode(errors="replace").strip()
            raise PlatformError(f"`{name}` ended with {process.returncode}: {words}")


def _program(name: str, server: int) -> Path:
    """Return the program that fits a server's major version."""
    found = []
    with contextlib.suppress(PlatformError):  # the package is not installed
        found.append(binaries() / name)
    if (on_path := shutil.which(name)) is not None:
        found.append(Path(on_path))
    for program in found:
        if program.is_file() and _major(program) >= server:
            return program
    raise PlatformError(
        f"There is no `{name}` of PostgreSQL {server} or newer here",
        hint=f"Install PostgreSQL {server}'s client programs",
    )


def _major(program: Path) -> int:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    version = re.search(r"(\d+)", answer)
    return int(version[1]) if version else 0
