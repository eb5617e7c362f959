"""A PostgreSQL primary and its streaming replica, from the programs of the package the embedded database uses."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from scripts.scaled.ports import free_port

from mixpeek.db.embedded import USER, EmbeddedPostgres

CATCH_UP_S = 30.0


class Node(EmbeddedPostgres):
    """One PostgreSQL server that listens on a port of this machine."""

    def __init__(self, folder: Path, port: int, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        own = {"listen_addresses": "127.0.0.1", "port": str(port), "max_connections": "300", "shared_buffers": "128MB"}
        super().__init__(folder, own | settings)
        self.port = port

    def kill(self) -> None:
        """End the server as a power cut would, its sessions included."""
        pid = self.running_pid()
        if pid is None:
            return
        # Its children see that the postmaster is gone and end by themselves; it must not end them in order.
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while self.running_pid() is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        if self._process is not None:
            self._process.wait(20)


class Pair:
    """A primary and a replica that follows it; `url` leads to whichever of the two is written to."""

    def __init__(self, folder: Path, *, synchronous: bool = True) -> None:
        """Keep both in a folder.

        Args: synchronous: what is committed is on the replica, and read there, before the commit returns.
        """
        self.folder = folder
        self._synchronous = synchronous
        settings = {
            "wal_level": "replica",
            "wal_keep_size": "1GB",
            "max_wal_senders": "4",
            "hot_standby_feedback": "on",
        }
        self.primary = Node(folder / "primary", free_port(), **settings)
        self.replica = Node(folder / "replica", free_port(), **settings)

    def url(self, database: str = "postgres") -> str:
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.replica.port}"
        return f"postgresql://{USER}@{hosts}/{quote(database)}?target_session_attrs=read-write"

    def replica_url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.replica.port}/{quote(database)}"

    def start(self) -> Pair:
        """Start both; return once the replica follows."""
        self.primary.start()
        self._copy()
        self.replica.start()
        self._wait_until_following()
        if self._synchronous:
            with psycopg.connect(self.url(), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                connection.execute("ALTER SYSTEM SET synchronous_commit = 'remote_apply'")
                connection.execute("SELECT pg_reload_conf()")
        return self

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def promote(self) -> None:
        """Make the replica the primary, as whatever watches over a cluster does once the primary is gone."""
        with psycopg.connect(self.replica_url(), autocommit=True) as connection:
            # It was copied before commits had to wait for anybody, so it confirms alone what it commits.
            connection.execute("SELECT pg_promote(true, 30)")

    def stop(self) -> None:
        """End both."""
        for node in (self.replica, self.primary):
            node.stop()

    def _copy(self) -> None:
        name = "pg_basebackup"
        done = subprocess.run(
            [
                *(str(self.primary.program(name)), "-h", "127.0.0.1", "-p", str(self.primary.port), "-U", USER),
                *("-D", str(self.replica.directory), "-R", "--checkpoint=fast", "--no-sync"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{name} ended with {done.returncode}: {done.stderr}")

    def _wait_until_following(self) -> None:
        deadline = time.monotonic() + CATCH_UP_S
        with psycopg.connect(self.url(), autocommit=True) as connection:
            while time.monotonic() < deadline:
                found = connection.execute("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
                row = found.fetchone()
                if row is not None and row[0]:
                    return
                time.sleep(0.05)
        raise RuntimeError(f"The replica does not follow its primary; see {self.replica.log}")


@contextlib.contextmanager
def running_pair(folder: Path, *, synchronous: bool = True) -> Iterator[Pair]:
    """Have both run while the context lasts."""
    pair = Pair(folder, synchronous=synchronous)
    try:
        yield pair.start()
    finally:
        pair.stop()
