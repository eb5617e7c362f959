"""Several servers on one database and one object store, as they would run on several machines."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from cryptography.fernet import Fernet

from factories.servers import API_KEY, Server
from mixpeek import Mixpeek


@dataclass
class Fleet:
    """Servers that share what a platform's parts must share; each has a data dir of its own."""

    folder: Path
    database_url: str
    settings: dict[str, str] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)

    def __post_init__(self) -> None:
        objects = self.folder / "objects"
        objects.mkdir(parents=True, exist_ok=True)
        self.settings = {
            "MIXPEEK_DATABASE_URL": self.database_url,
            "MIXPEEK_OBJECTS_URL": objects.as_uri(),
            "MIXPEEK_SIGNING_KEY": secrets.token_hex(32),
            "MIXPEEK_SECRETS_KEY": Fernet.generate_key().decode(),
            **self.settings,
        }

    def start(self, role: str, **settings: str) -> Server:
        """Start a server of this role, `api` or `worker`."""
        variables = {f"MIXPEEK_{name.upper()}": value for name, value in settings.items()}
        place = self.folder / f"{role}{len(self.servers)}"
        self.servers.append(Server(place, {**self.settings, "MIXPEEK_ROLE": role, **variables}))
        return self.servers[-1].start()

    def api(self, **settings: str) -> Server:
        return self.start("api", **settings)

    def worker(self, **settings: str) -> Server:
        return self.start("worker", **settings)

    def discard(self) -> None:
        for server in self.servers:
            server.discard()


def client_of(server: Server, namespace: str | None = None) -> Mixpeek:
    """Return a client of one server of a fleet."""
    return Mixpeek(api_key=API_KEY, base_url=server.url, namespace=namespace)


def hosts_of(server: Server) -> int:
    """Return how many plugin hosts run below a server."""
    count = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(server.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                count += "mixpeek.host" in child.cmdline() and "bwrap" not in child.name()
    return count


@dataclass
class Asking:
    """What became of the requests that callers sent, by server."""

    answered: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)  # sent, and never answered: their connection ended
    refused: Counter[str] = field(default_factory=Counter)  # never sent: nobody listened
    errors: list[str] = field(default_factory=list)  # answered with anything but 200
    ends: list[str] = field(default_factory=list)  # how those that were never answered ended
    slowest_s: float = 0.0


@contextlib.contextmanager
def asking(servers: list[Server], namespace: str, body: dict[str, Any], *, callers: int = 2) -> Iterator[Asking]:
    """Have callers send inference requests to every server, one after the other, while the context lasts."""
    told, ending = Asking(), threading.Event()
    headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": namespace}

    def call(server: Server) -> None:
        limits = httpx.Limits(keepalive_expiry=1.0)  # a connection that was left alone the server may close any time
        with httpx.Client(
            base_url=f"{server.url}/v1", headers=headers, timeout=60, verify=False, limits=limits
        ) as http:
            while not ending.is_set():
                began = time.monotonic()
                try:
                    answer = http.post("/inference", json=body)
                except httpx.ConnectError:
                    told.refused[server.url] += 1
                    return  # as a load balancer leaves a server out that does not listen
                except httpx.TransportError as error:
                    told.broken[server.url] += 1
                    told.ends.append(f"{type(error).__name__} after {time.monotonic() - began:.1f} s")
                    continue
                told.answered[server.url] += 1
                told.slowest_s = max(told.slowest_s, time.monotonic() - began)
                if answer.status_code != 200:
                    told.errors.append(f"{answer.status_code} {answer.text[:300]}")

    threads = [threading.Thread(target=call, args=(server,)) for server in servers for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        ending.set()
        for thread in threads:
            thread.join(70)
