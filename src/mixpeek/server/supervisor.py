"""Starts the database and the two processes of the platform, restarts one that dies, and ends them in order.

It imports little and does no work of its own, so it costs little and has nothing to crash on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mixpeek.config import Settings, unknown_variables
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.errors import MixpeekError, PlatformError, SettingInvalid
from mixpeek.execution import sandbox
from mixpeek.execution.egress.policy import EgressPolicy, exemptions_from
from mixpeek.inspection.severities import overrides_from
from mixpeek.server.datadir import DataDir

DRAIN_S = 20.0
# A process that dies is started again after this long, doubling up to the limit while it keeps dying.
RESTART_S, RESTART_LIMIT_S = 0.5, 30.0
WATCH_S = 0.5


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


def _read_settings(given: dict[str, Any]) -> Settings:
    """Return the settings; raise SettingInvalid naming those that cannot be read, and none of their values."""
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = [f"MIXPEEK_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
        raise SettingInvalid("; ".join(faults), hint="docs/reference/settings.md says what each may be") from None


@dataclass
class Supervisor:
    """Owns the data dir and every process of one server."""

    settings: Settings
    data_dir: DataDir
    children: list[Child] = field(default_factory=list)
    _stopping: bool = False
    _wake: threading.Event = field(default_factory=threading.Event)
    _environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_settings(cls, host: str | None, port: int | None, data_dir: Path | None) -> Supervisor:
        given = {"host": host, "port": port, "data_dir": data_dir}
        settings = _read_settings({key: value for key, value in given.items() if value is not None})
        EgressPolicy.from_environ(os.environ)  # an entry that cannot be read ends the start here, not a plugin's host
        overrides_from(settings.rules)  # and so does a rule that does not exist
        exemptions_from(settings.webhook_allow, "MIXPEEK_WEBHOOK_ALLOW")
        return cls(settings, DataDir(settings.data_dir))

    def run(self) -> int:
        """Serve until told to stop; return the exit code."""
        for warning in unknown_variables(dict(os.environ)):
            _say(f"warning: {warning}")
        lock = self.data_dir.lock()
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        key, fresh = self.data_dir.admin_key(self.settings.bootstrap_api_key)
        listener = self._listen()
        postgres = None if self.settings.database_url else EmbeddedPostgres(self.data_dir.path)
        try:
            self._prepare(postgres, listener)
            migration = self._start_migration(postgres)
            self._add("api", lock, listener.fileno())
            if postgres is not None:
                postgres.start()
            _check_migration(migration)
            self._add(
                "worker", lock
            )  # last: nobody waits for it, and it would take a processor from those one waits for
            self._announce(listener, key, fresh=fresh)
            return self._watch(postgres)
        finally:
            # Connections waited here for a process that is started again; from here on they would for none.
            listener.close()
            self._end_children()
            if postgres is not None:
                with contextlib.suppress(MixpeekError):
                    postgres.stop()

    def _listen(self) -> socket.socket:
        """Bind now, so that an address in use is said at once; the API process inherits the socket."""
        family = socket.AF_INET6 if ":" in self.settings.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.settings.host, self.settings.port))
        except OSError as error:
            raise PlatformError(
                f"Cannot listen on {self.settings.host}:{self.settings.port}: {error.strerror}",
                hint="Stop what is listening there, or choose another `--port`",
            ) from error
        # From here on connections wait instead of being refused, also while the API process is started again.
        listener.listen(2048)
        listener.set_inheritable(True)
        return listener

    def _prepare(self, postgres: EmbeddedPostgres | None, listener: socket.socket) -> None:
        url = postgres.url if postgres else str(self.settings.database_url)
        self._environment = {
            **os.environ,
            "MIXPEEK_DATA_DIR": str(self.data_dir.path),
            "MIXPEEK_DATABASE_URL": url,
            "MIXPEEK_LISTEN_FD": str(listener.fileno()),
            "MIXPEEK_SUPERVISOR_PID": str(os.getpid()),
        }
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
        if now - child.started_at > RESTART_LIMIT_S:
            child.delay_s = RESTART_S
        _say(f"the {child.name} process ended ({child.process.returncode}); starting it again in {child.delay_s} s")
        child.process, child.restart_at = None, now + child.delay_s
        child.delay_s = min(child.delay_s * 2, RESTART_LIMIT_S)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        self._wake.set()

    def _end_children(self) -> None:
        running = [child.process for child in self.children if child.process is not None]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        deadline = time.monotonic() + DRAIN_S
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _announce(self, listener: socket.socket, key: str, *, fresh: bool) -> None:
        host, port = listener.getsockname()[:2]
        _say(f"serving on http://{host}:{port} (data in {self.data_dir.path})")
        if fresh and not self.settings.bootstrap_api_key:
            _say(f"admin API key, shown this once and kept in {self.data_dir.path / 'admin.key'}:\n  {key}")
        warning = sandbox.warning(sandbox.probe())
        if warning is not None:
            _say(f"warning: {warning}")
        if self.settings.egress == "off":
            _say("MIXPEEK_EGRESS=off: plugins that ask for a network are refused")


def _check_migration(migration: subprocess.Popen[bytes]) -> None:
    if migration.wait() != 0:
        raise PlatformError("The database could not be migrated", hint="The reason is printed above")


def _say(text: str) -> None:
    print(f"mixpeek: {text}", file=sys.stderr, flush=True)  # noqa: T201
