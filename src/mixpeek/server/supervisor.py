"""Starts the database and the two processes of the platform, restarts one that dies, and ends them in order.

One that refuses a setting is not started again: the server ends, with the reason.

It imports little and does no work of its own, so it costs little and has nothing to crash on.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.errors import MixpeekError, PlatformError, SettingInvalid
from mixpeek.execution import sandbox
from mixpeek.logging import event
from mixpeek.server.datadir import DataDir
from mixpeek.server.plan import REFUSED, Plan

DRAIN_S = 20.0
# A process that dies is started again after this long, doubling up to the limit while it keeps dying.
RESTART_S, RESTART_LIMIT_S = 0.5, 30.0
WATCH_S = 0.5
_CLUSTER = "cluster"
# Of glibc and Arrow: with an arena for each thread, thresholds that grow with what was freed and a pool of Arrow's own,
# a worker keeps 25 MB more of what a batch needed for a moment.
_MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": "131072",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


@dataclass
class Child:
    """One process of the platform, and when to start it again should it die."""

    name: str
    command: list[str]
    inherited: tuple[int, ...]
    process: subprocess.Popen[bytes] | None = None
    delay_s: float = RESTART_S
    restart_at: float = 0.0
    started_at: float = 0.0


@dataclass
class Supervisor:
    """Owns the data dir and every process of one server."""

    plan: Plan
    data_dir: DataDir
    children: list[Child] = field(default_factory=list)
    _stopping: bool = False
    _wake: threading.Event = field(default_factory=threading.Event)
    _environment: dict[str, str] = field(default_factory=dict)
    _fresh_key: str | None = None  # the admin key, where this start has made it

    def run(self) -> int:
        """Serve until told to stop; return the exit code."""
        for warning in self.plan.warnings:
            _say(f"warning: {warning}")
        lock = self.data_dir.lock()
        self.data_dir.check_whole()
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        if self.plan.has("api"):
            key, is_fresh = self.data_dir.admin_key(self.plan.bootstrap_api_key)
            self._fresh_key = key if is_fresh else None
        listener = self._listen() if self.plan.has("api") else None
        postgres = None
        if not self.plan.database_url:
            buffers = {"shared_buffers": f"{self.plan.buffers_mb}MB"}
            postgres = EmbeddedPostgres(self.data_dir.path, buffers)
        try:
            self._prepare(postgres, listener)
            if self.plan.own_cluster is not None:
                self.plan.own_cluster.unlink(missing_ok=True)
                # Whoever knows it can run anything there; nobody but our own processes does.
                self._environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
                self._add(_CLUSTER)
            migration = self._start_migration(postgres)
            if listener is not None:
                self._add("api", lock, listener.fileno())
            if postgres is not None:
                postgres.start()
            _check_migration(migration)
            if self.plan.has("worker"):
                # Last: nobody waits for it, and it would take a processor from those one waits for.
                self._add("worker", lock)
            self._announce(listener)
            return self._watch(postgres)
        finally:
            # Connections waited here for a process that is started again; from here on they would for none.
            if listener is not None:
                listener.close()
            self._end_children()
            if postgres is not None:
                with contextlib.suppress(MixpeekError):
                    postgres.stop()

    def _listen(self) -> socket.socket:
        """Bind now, so that an address in use is said at once; the API process inherits the socket."""
        family = socket.AF_INET6 if ":" in self.plan.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.plan.host, self.plan.port))
        except OSError as error:
            raise PlatformError(
                f"Cannot listen on {self.plan.host}:{self.plan.port}: {error.strerror}",
                hint="Stop what is listening there, or choose another `--port`",
            ) from error
        # From here on connections wait instead of being refused, also while the API process is started again.
        listener.listen(2048)
        listener.set_inheritable(True)
        return listener

    def _prepare(self, postgres: EmbeddedPostgres | None, listener: socket.socket | None) -> None:
        url = postgres.url if postgres else str(self.plan.database_url)
        self._environment = {
            **_MALLOC,
            **os.environ,
            "MIXPEEK_DATA_DIR": str(self.data_dir.path),
            "MIXPEEK_DATABASE_URL": url,
            "MIXPEEK_SUPERVISOR_PID": str(os.getpid()),
        }
        if listener is not None:
            self._environment["MIXPEEK_LISTEN_FD"] = str(listener.fileno())
            if self.plan.makes_signing_key:
                self.data_dir.signing_secret()

    def _start_migration(self, postgres: EmbeddedPostgres | None) -> subprocess.Popen[bytes]:
        """Start what migrates the database; like the API process, it loads its code while the database comes up."""
        is_new = postgres is not None and not (postgres.directory / "PG_VERSION").exists()
        environment = {**self._environment, **({"MIXPEEK_DATABASE_IS_NEW": "1"} if is_new else {})}
        return subprocess.Popen([sys.executable, "-m", "mixpeek.db"], env=environment)

    def _add(self, name: str, *inherited: int) -> None:
        child = Child(name, [sys.executable, "-m", f"mixpeek.server.{name}"], inherited)
        self.children.append(child)
        self._start(child)

    def _start(self, child: Child) -> None:
        child.process = subprocess.Popen(
            child.command,
            env=self._environment,
            pass_fds=child.inherited,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is ours to handle, in order
        )
        child.started_at = time.monotonic()

    def _watch(self, postgres: EmbeddedPostgres | None) -> int:
        while not self._stopping:
            now = time.monotonic()
            if postgres is not None and postgres.running_pid() is None:
                self._restart(postgres)
            for child in self.children:
                if child.process is None:
                    if now >= child.restart_at:
                        self._start(child)
                elif child.process.poll() is not None:
                    self._bury(child, now)
            self._wake.wait(WATCH_S)
        return 0

    @staticmethod
    def _restart(postgres: EmbeddedPostgres) -> None:
        _say("the embedded database ended; starting it again")
        try:
            postgres.start()
        except PlatformError as error:
            # Sessions of the dead server may still be ending; the next turn tries again.
            _say(error.message)

    @staticmethod
    def _bury(child: Child, now: float) -> None:
        assert child.process is not None
        if child.process.returncode == REFUSED:
            raise SettingInvalid(f"The {child.name} process refuses a setting", hint="The reason is printed above")
        if now - child.started_at > RESTART_LIMIT_S:
            child.delay_s = RESTART_S
        _say(f"the {child.name} process ended ({child.process.returncode}); starting it again in {child.delay_s} s")
        child.process, child.restart_at = None, now + child.delay_s
        child.delay_s = min(child.delay_s * 2, RESTART_LIMIT_S)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        self._wake.set()

    def _end_children(self) -> None:
        running = [child for child in self.children if child.process is not None]
        # The cluster last: what the others have begun runs there.
        _end([child.process for child in running if child.process and child.name != _CLUSTER])
        _end([child.process for child in running if child.process and child.name == _CLUSTER])

    def _announce(self, listener: socket.socket | None) -> None:
        if listener is None:
            _say(f"working (data in {self.data_dir.path})")
        else:
            host, port = listener.getsockname()[:2]
            _say(f"serving on http://{host}:{port} (data in {self.data_dir.path})")
            if self._fresh_key is not None and not self.plan.bootstrap_api_key:
                where = self.data_dir.path / "admin.key"
                _say(f"admin API key, shown this once and kept in {where}:\n  {self._fresh_key}")
        warning = sandbox.warning(sandbox.probe())
        if warning is not None:
            _say(f"warning: {warning}")
        if self.plan.is_egress_off:
            _say("MIXPEEK_EGRESS=off: plugins that ask for a network are refused")


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    deadline = time.monotonic() + DRAIN_S
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _check_migration(migration: subprocess.Popen[bytes]) -> None:
    if migration.wait() != 0:
        raise PlatformError("The database could not be migrated", hint="The reason is printed above")


def _say(text: str) -> None:
    line = event("supervisor", text, os.environ.get("MIXPEEK_LOG_FORMAT", "text"))
    print(line, file=sys.stderr, flush=True)  # noqa: T201
