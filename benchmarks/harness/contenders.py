"""Who is compared: how each peer is started in its own environment, with which settings, and the request it takes.

A peer's interpreter is `ENVIRONMENTS/<peer>/bin/python` (`peers/install` makes them), with `ENVIRONMENTS` from the
variable PEER_ENVIRONMENTS; a peer without one is left out. FastAPI may run in ours, which has all it needs.
All serve from as many workers (replicas) as ours does, one of them by default, and each runs the model on one thread:
what is compared is what carries the requests. What is set for speed, and where their documentation says so, stands in
each app's docstring.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import processes
from harness.ours import serve_ours
from harness.target import HERE, Target
from startup import free_port

PEERS = HERE.parent / "peers"
ENVIRONMENTS = Path(os.environ.get("PEER_ENVIRONMENTS", PEERS / ".environments"))
RAY_VARIABLES = {
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # 15 by default: its actors would stand back behind whoever asks them
}


class DidNotStart(Exception):
    """A peer ended, or did not answer in time; its own output is the message."""


@dataclass(frozen=True)
class Peer:
    """A server that is one command: `command(interpreter, port, handler, mode)`, with `variables(handler, mode)` set.

    `modes`: `plain`, `batching` or both.
    """

    name: str
    environment: str
    command: Callable[[Path, int, str, str], list[str]]
    variables: Callable[[str, str], dict[str, str]] = lambda handler, mode: {}  # noqa: ARG005
    modes: tuple[str, ...] = ("plain", "batching")
    is_listed: bool = False  # its batched route takes {"requests": [...]}

    @property
    def interpreter(self) -> Path | None:
        """The interpreter of its environment, None if there is none."""
        own = ENVIRONMENTS / self.environment / "bin" / "python"
        if own.exists():
            return own
        return Path(sys.executable) if self.environment == "fastapi" else None

    def body(self, request: dict[str, Any], mode: str) -> bytes:
        """Return what it is sent for one request."""
        return json.dumps({"requests": [request]} if self.is_listed and mode == "batching" else request).encode()

    @contextlib.contextmanager
    def serve(
        self, handler: str, mode: str, request: dict[str, Any], *, workers: int = 1, poll_s: float = 0.02
    ) -> Iterator[Target]:
        """Start it, yield it once it has answered a request, and end all its processes."""
        interpreter, port = self.interpreter, free_port()
        assert interpreter is not None
        with tempfile.NamedTemporaryFile(prefix=self.name, suffix=".log") as log:
            process = subprocess.Popen(
                self.command(interpreter, port, handler, mode),
                cwd=PEERS,
                env={**_surroundings(), "PEER_WORKERS": str(workers), **self.variables(handler, mode)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                target = Target(port, "/predict", self.body(request, mode), (), process.pid)
                _wait_until_it_answers(self.name, target, process, Path(log.name), poll_s)
                yield target
            finally:
                processes.end(process.pid)
                process.wait(10)


def _surroundings() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MIXPEEK_", "PYTHONPATH"))}
    return {**kept, "OMP_NUM_THREADS": "1"}


def _wait_until_it_answers(
    name: str, target: Target, process: subprocess.Popen[bytes], log: Path, poll_s: float, within_s: float = 120
) -> None:
    deadline = time.monotonic() + within_s
    while not target.answers():
        ended = process.poll()
        if ended is not None or time.monotonic() > deadline:
            why = f"ended with {ended}" if ended is not None else f"did not answer within {within_s:g} s"
            raise DidNotStart(f"{name} {why}; its output ends:\n{log.read_text(errors='replace')[-1500:]}")
        time.sleep(poll_s)


@contextlib.contextmanager
def serve_null() -> Iterator[Target]:
    """Fixed bytes over a bare socket: what the load generator itself can do."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(HERE / "load.py"), "null", str(port)])
    try:
        target = Target(port, "/", b"{}", (), process.pid)
        while not target.answers():
            assert process.poll() is None, "the null server ended"
            time.sleep(0.02)
        yield target
    finally:
        processes.end(process.pid)
        process.wait(10)


def _ray(python: Path, port: int, handler: str, mode: str) -> list[str]:
    return [str(python), "ray_app.py", str(port), handler, mode]


def _bentoml(python: Path, port: int, handler: str, mode: str) -> list[str]:  # noqa: ARG001
    return [str(python), "-m", "bentoml", "serve", "bentoml_app:Served", "--host", "127.0.0.1", "--port", str(port)]


PEERS_KNOWN = [
    Peer(
        "fastapi",
        "fastapi",
        lambda python, port, handler, mode: [str(python), "fastapi_app.py", str(port), handler],  # noqa: ARG005
        modes=("plain",),
    ),
    Peer(
        "litserve",
        "litserve",
        lambda python, port, handler, mode: [str(python), "litserve_app.py", str(port), handler, mode],
    ),
    Peer(
        "bentoml",
        "bentoml",
        _bentoml,
        lambda handler, mode: {"PEER_HANDLER": handler, "PEER_BATCHING": mode, "BENTOML_DO_NOT_TRACK": "True"},
        is_listed=True,
    ),
    Peer("ray", "ray", _ray, lambda handler, mode: RAY_VARIABLES),  # noqa: ARG005
    Peer("ray_haproxy", "ray", _ray, lambda handler, mode: {**RAY_VARIABLES, "RAY_SERVE_ENABLE_HA_PROXY": "1"}),  # noqa: ARG005
]


def peers(names: list[str] | None = None) -> list[Peer]:
    """Return the peers that can run here, of those named; print one line for each that cannot."""
    found = []
    for each in PEERS_KNOWN:
        if names is not None and each.name not in names:
            continue
        if each.interpreter is None:
            print(f"{each.name} is left out: no {ENVIRONMENTS / each.environment} (benchmarks/peers/install makes it)")
        else:
            found.append(each)
    return found


__all__ = ["DidNotStart", "Peer", "Target", "peers", "serve_null", "serve_ours"]
