"""The server that `mixpeek dev` works with: the one configured, or one of its own that leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from mixpeek import Mixpeek
from mixpeek.cli.output import Output
from mixpeek.cli.progress import spinner
from mixpeek.errors import PlatformError

Connect = Callable[[str | None], Mixpeek]
"""Makes a client of the server, in a namespace."""

_START_S = 60.0
_STOP_S = 30.0
_LOOK_S = 0.05
_ADDRESS = re.compile(r"serving on (http://\S+)")


@contextlib.contextmanager
def server_for(api_key: str | None, base_url: str | None, output: Output) -> Iterator[Connect]:
    """Give a way to connect to the configured server, else to one started for as long as this lasts."""
    named = ("MIXPEEK_API_KEY", "MIXPEEK_BASE_URL", "MIXPEEK_API_URL")
    if api_key or base_url or any(os.environ.get(name) for name in named):
        yield lambda namespace: Mixpeek(api_key, base_url, namespace)
        return
    with _own_server(output) as (url, key):
        yield lambda namespace: Mixpeek(key, url, namespace)


@contextlib.contextmanager
def _own_server(output: Output) -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory(prefix="mixpeek-dev-") as folder:
        log, key = Path(folder) / "server.log", f"sk_{secrets.token_urlsafe(24)}"
        line = [sys.executable, "-m", "mixpeek", "serve", "--host", "127.0.0.1", "--port", "0"]
        with log.open("wb") as written:
            process = subprocess.Popen(
                [*line, "--data-dir", str(Path(folder) / "data")],
                env={**os.environ, "MIXPEEK_BOOTSTRAP_API_KEY": key},
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; it is stopped once its namespace is gone
            )
        try:
            with spinner(output, "Starting a server"):
                url = _address(process, log)
            output.say(f"A server of its own runs on {url}; it and its data go when this ends", "dim")
            yield url, key
        finally:
            _stop(process)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address once the server is ready."""
    ends_at = time.monotonic() + _START_S
    while time.monotonic() < ends_at:
        told = log.read_text(errors="replace")
        if process.poll() is not None:
            raise PlatformError(f"The server did not start: {told.strip()[-600:]}", hint="Run `mixpeek doctor`")
        found = _ADDRESS.search(told)
        if found is not None and _is_ready(found[1]):
            return found[1]
        time.sleep(_LOOK_S)
    raise PlatformError(f"The server was not ready within {_START_S:.0f} s", hint="Run `mixpeek doctor`")


def _is_ready(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/v1/health", timeout=5)
        return answer.status_code == 200 and bool(answer.json()["data"]["worker"])
    except (httpx.HTTPError, ValueError, KeyError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
