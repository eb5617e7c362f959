"""The database of a data dir for a command on the server's machine, whether a server is running there or not."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mixpeek.config import Settings
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.pool import Database
from mixpeek.db.schema import current, head, migrate, wait_until_migrated
from mixpeek.errors import Conflict, PlatformError
from mixpeek.server.datadir import DataDir

STARTING_WAIT_S = 30.0


@contextlib.contextmanager
def database_of(data_dir: Path | None = None) -> Iterator[tuple[Database, DataDir]]:
    """Yield a server's database and data dir; an embedded database that does not run is started for as long.

    Raises: PlatformError: no server has ever run on this data dir.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    path = settings.data_dir.expanduser().resolve()
    if settings.database_url is None and not (path / "postgres" / "PG_VERSION").exists():
        raise PlatformError(
            f"There is no server's data in {path}", hint="Name the folder that `mixpeek serve` uses with `--data-dir`"
        )
    directory = DataDir(path)
    if settings.database_url is not None:
        with _connected(settings.database_url) as database:
            yield database, directory
        return
    postgres = EmbeddedPostgres(path)
    with (
        _one_command_at_a_time(path) as next_may_go,
        _running(postgres, directory, next_may_go),
        _connected(postgres.url) as database,
    ):
        yield database, directory


@contextlib.contextmanager
def empty_place(data_dir: Path | None = None) -> Iterator[tuple[str, DataDir, Settings]]:
    """Yield the URL of a database that no server uses, its data dir and the settings, for a backup to be restored to.

    A data dir that has no embedded database gets one. Once `directory.unfinished` is there no server starts on the data
    dir until this has ended without an exception: what was restored is not whole.

    Raises: Conflict: a server runs on the data dir.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    directory = DataDir(settings.data_dir.expanduser().resolve())
    lock = directory.lock(wait_s=0)
    try:
        if settings.database_url is not None:
            yield settings.database_url, directory, settings
        else:
            postgres = EmbeddedPostgres(directory.path)
            postgres.start()
            try:
                yield postgres.url, directory, settings
            finally:
                postgres.stop()
        directory.unfinished.unlink(missing_ok=True)
    finally:
        os.close(lock)


@contextlib.contextmanager
def _running(postgres: EmbeddedPostgres, directory: DataDir, next_may_go: Callable[[], None]) -> Iterator[None]:
    """Have PostgreSQL run; what this starts it also stops, and no server can start in between."""
    try:
        lock = directory.lock(wait_s=0)
    except Conflict:  # a server has the data dir, so its database runs, or will in a moment
        deadline = time.monotonic() + STARTING_WAIT_S
        while postgres.running_pid() is None:
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"The server in {directory.path} has no running database", hint="See what `mixpeek serve` prints"
                ) from None
            time.sleep(0.05)
        wait_until_migrated(postgres.url)
        next_may_go()  # the database is the server's to stop
        yield
        return
    os.ftruncate(lock, 0)  # no server's pid: one that starts meanwhile waits for this short command
    was_running = postgres.running_pid() is not None
    try:
        postgres.start()
        if current(postgres.url) != head():
            migrate(postgres.url)
        yield
    finally:
        if not was_running:
            postgres.stop()
        os.close(lock)


@contextlib.contextmanager
def _connected(url: str) -> Iterator[Database]:
    database = Database(url, max_connections=1)
    database.open()
    try:
        yield database
    finally:
        database.close()


@contextlib.contextmanager
def _one_command_at_a_time(path: Path) -> Iterator[Callable[[], None]]:
    """Wait for other commands: the first to end would stop the database under the second.

    Yields what lets the next one begin already.
    """
    descriptor = os.open(path / "command.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield lambda: fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)
