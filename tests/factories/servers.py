"""A real server: the installed `mixpeek serve` as a child process, with everything embedded in a data dir."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import httpx
import psutil
from scripts.scaled.profile import Profile

from factories.fresh_database import FreshDatabase
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.db.embedded import EmbeddedPostgres

API_KEY = "sk_test_acceptance"
MIXPEEK = str(Path(sys.executable).with_name("mixpeek"))


def surroundings(**variables: str) -> dict[str, str]:
    """Return this process's environment without any `MIXPEEK_*` of its own, and with `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIXPEEK_")}
    return {**kept, "NO_COLOR": "1", **variables}


@dataclass
class Server:
    """One server and its data dir, started, stopped and killed at will; `settings` are `MIXPEEK_*` variables.

    Started again it listens where it did before, so that clients made earlier still reach it.
    """

    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    fresh: ClassVar[FreshDatabase | None] = None  # what a first start begins with; None has the server make its own
    profile: ClassVar[Profile | None] = Profile.find()  # where it keeps its state; None is in its data dir
    url: str = ""
    port: int = 0

    @property
    def log(self) -> Path:
        return self.data_dir.with_name(f"{self.data_dir.name}.log")

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server was not started"
        return self.process.pid

    @property
    def database_url(self) -> str:
        """Where its state is, for a test that looks past the server."""
        return self.settings.get("MIXPEEK_DATABASE_URL") or EmbeddedPostgres(self.data_dir).url

    def start(self, *, within_s: float = 60.0) -> Server:
        """Start and return once `GET /v1/health` answers 200 with a living worker; a worker alone, once it says so."""
        before = self.log.stat().st_size if self.log.exists() else 0
        if self.profile is not None and "MIXPEEK_DATABASE_URL" not in self.settings:
            self.settings = {**self.profile.settings(), **self.settings}
        if self.fresh is not None and not self.data_dir.exists() and "MIXPEEK_DATABASE_URL" not in self.settings:
            self.fresh.copy_to(self.data_dir)
        place = ["--host", "127.0.0.1", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [MIXPEEK, "serve", *place],
                env=surroundings(MIXPEEK_BOOTSTRAP_API_KEY=API_KEY, **self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

        def announced() -> re.Match[str] | None:
            text = self.log.read_bytes()[before:].decode(errors="replace")
            assert self.process is not None
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{text}"
            return re.search(r"serving on (http://\S+)|working \(", text)

        said = until(announced, what=f"the server says where it serves; see {self.log}", within_s=within_s)
        assert said is not None
        if said[1] is None:
            return self
        self.url = said[1]
        self.port = urlsplit(self.url).port or 0
        self.wait_until_healthy(within_s=within_s)
        return self

    def wait_until_healthy(self, *, within_s: float = 30.0) -> None:
        until(self.is_healthy, what="the server is healthy", within_s=within_s)

    def is_healthy(self) -> bool:
        try:
            answer = httpx.get(f"{self.url}/v1/health", timeout=5, verify=False)  # plain HTTP: no certificates to read
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and answer.json()["data"]["worker"]

    def client(self) -> Mixpeek:
        """Return a client in a namespace made just now; the caller closes it."""
        with Mixpeek(api_key=API_KEY, base_url=self.url) as admin:
            namespace = admin.namespaces.create(namespace_name=f"test_{secrets.token_hex(6)}")
        return Mixpeek(api_key=API_KEY, base_url=self.url, namespace=namespace.namespace_id)

    def stop(self, stop_with: signal.Signals = signal.SIGTERM, *, within_s: float = 30.0) -> int:
        """Ask the server to stop and return its exit code."""
        assert self.process is not None
        self.process.send_signal(stop_with)
        return self.process.wait(within_s)

    def kill(self) -> None:
        """Send SIGKILL to the supervisor, as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def child_pid(self, role: str) -> int | None:
        """Return the pid of the `api` or `worker` process, None while there is none."""
        for child in psutil.Process(self.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if f"mixpeek.server.{role}" in child.cmdline():
                    return child.pid
        return None

    def postmaster_pid(self) -> int | None:
        """Return the pid of this data dir's PostgreSQL, None if it does not run."""
        try:
            pid = int((self.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
            return pid if "postgres" in " ".join(psutil.Process(pid).cmdline()) else None
        except (FileNotFoundError, IndexError, psutil.NoSuchProcess):
            return None

    def complaints(self) -> list[str]:
        """Return the lines of its log in which the event loop tells of a fault nobody handled."""
        unhandled = ("Exception in callback", "exception was never retrieved", "Unhandled exception")
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if any(phrase in line for phrase in unhandled)]

    def discard(self) -> None:
        """End whatever of this server still runs, a PostgreSQL that outlived its supervisor included."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.kill()
        postmaster = self.postmaster_pid()
        if postmaster is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(postmaster, signal.SIGINT)
            until(lambda: self.postmaster_pid() is None, what="PostgreSQL has stopped")


MakeServer = Callable[..., Server]
