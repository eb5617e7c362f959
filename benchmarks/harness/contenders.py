"""Who is compared in `realtime.py`: how each is started in its own environment, and the request it takes.

A peer's interpreter is `ENVIRONMENTS/<peer>/bin/python` where that exists (`peers/README.md` lists the packages), with
`ENVIRONMENTS` from the variable PEER_ENVIRONMENTS; a peer without one is left out. FastAPI runs in ours, which has all.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from startup import free_port, start

from mixpeek import Mixpeek

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / "peers"
ENVIRONMENTS = Path(os.environ.get("PEER_ENVIRONMENTS", PEERS / ".environments"))
TEXT_EMBEDDING = HERE.parents[1] / "examples" / "plugins" / "text_embedding"
KEY = "sk_bench"
TRIVIAL = {
    "manifest.py": 'metadata = {"feature_extractor_name": "trivial", "version": "1.0.0", "description": "A length"}\n'
    "input_schema = output_schema = {}\nfeatures = []\n",
    "pipeline.py": 'def build_steps(extractor_request, **known):\n    return {"steps": []}\n',
    "realtime.py": "class RealtimeHandler:\n    def predict(self, request):\n"
    '        return {"length": len(request["text"])}\n',
}


@dataclass(frozen=True)
class Target:
    """A server that is ready: where it takes the request, and the processes it consists of."""

    port: int
    path: str
    body: bytes
    headers: tuple[str, ...]
    pid: int


@dataclass(frozen=True)
class Contender:
    """Something that serves the handler `trivial` or `minilm`; `serve` is a context in which it is ready."""

    name: str
    serve: Callable[[str, dict[str, Any]], contextlib.AbstractContextManager[Target]]


@contextlib.contextmanager
def serve_ours(handler: str, request: dict[str, Any]) -> Iterator[Target]:
    """The whole platform: sandbox, key check, version headers."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        process, _ = start(Path(folder) / "data", port)
        try:
            namespace = _deploy(Path(folder), port, handler)
            name = "trivial" if handler == "trivial" else "text_embedding"
            body = json.dumps({"inference_name": name, "inputs": request}).encode()
            headers = (f"authorization: Bearer {KEY}", f"x-namespace: {namespace}")
            yield Target(port, "/v1/inference", body, headers, process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _deploy(folder: Path, port: int, handler: str) -> str:
    plugin = TEXT_EMBEDDING
    if handler == "trivial":
        plugin = folder / "trivial"
        plugin.mkdir()
        for name, text in TRIVIAL.items():
            (plugin / name).write_text(text)
    url = f"http://127.0.0.1:{port}"
    with Mixpeek(api_key=KEY, base_url=url) as admin:
        namespace: str = admin.namespaces.create("bench").namespace_id
    with Mixpeek(api_key=KEY, base_url=url, namespace=namespace) as client:
        plugin_id = client.plugins.upload(plugin).plugin_id
        client.plugins.deploy(plugin_id)
        status = client.plugins.wait(plugin_id, timeout_s=60, poll_s=0.1)
        assert status.status == "DEPLOYED", status
    return namespace


def peer(
    name: str,
    command: Callable[[Path, int, str], list[str]],
    *,
    variables: Callable[[str], dict[str, str]] | None = None,
) -> Contender:
    """Return a peer that is one command: `command(interpreter, port, handler)`, with `variables(handler)` set."""

    @contextlib.contextmanager
    def serve(handler: str, request: dict[str, Any]) -> Iterator[Target]:
        interpreter, port = interpreter_of(name), free_port()
        assert interpreter is not None
        process = subprocess.Popen(
            command(interpreter, port, handler),
            cwd=PEERS,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(variables(handler) if variables else {})},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_until_it_listens(port, process)
            yield Target(port, "/predict", json.dumps(request).encode(), (), process.pid)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)

    return Contender(name, serve)


def interpreter_of(name: str) -> Path | None:
    """Return the interpreter of a peer's environment, None if there is none."""
    own = ENVIRONMENTS / name / "bin" / "python"
    if own.exists():
        return own
    return Path(sys.executable) if name == "fastapi" else None


def wait_until_it_listens(port: int, process: subprocess.Popen[bytes], within_s: float = 90) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{process.args!r} does not listen"
            time.sleep(0.02)
        else:
            return


@contextlib.contextmanager
def serve_null() -> Iterator[Target]:
    """Fixed bytes over a bare socket: what the load generator itself can do."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(HERE / "load.py"), "null", str(port)])
    try:
        wait_until_it_listens(port, process)
        yield Target(port, "/", b"{}", (), process.pid)
    finally:
        process.terminate()
        process.wait(10)


OURS = Contender("ours", serve_ours)
PEERS_KNOWN = [
    peer("fastapi", lambda python, port, handler: [str(python), "fastapi_app.py", str(port), handler]),
]


def peers() -> list[Contender]:
    """Return the peers that can run here."""
    return [each for each in PEERS_KNOWN if interpreter_of(each.name) is not None]
