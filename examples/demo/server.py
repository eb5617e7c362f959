"""A server of the demo's own: `mixpeek serve` as a child process, everything embedded, on a free port."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from .failure import DemoFailed

START_S, STOP_S, POLL_S = 60.0, 30.0, 0.05
# The server starts on its defaults, whatever the shell says; only the choice about isolation is the machine's.
KEPT_SETTINGS = frozenset({"MIXPEEK_SANDBOX"})


@dataclass(frozen=True)
class Running:
    """Where the server answers, and the key that opens it."""

    url: str
    api_key: str


@contextmanager
def served(data_dir: Path, log: Path) -> Iterator[Running]:
    """Serve `data_dir` until the block ends; the server writes its log to `log`.

    Raises: DemoFailed: it does not start, or does not end in order.
    """
    program = Path(sys.executable).with_name("mixpeek")
    command = [str(program), "serve", "--host", "127.0.0.1", "--port", "0", "--data-dir", str(data_dir)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C reaches the demo alone, which then ends the server
        )
    try:
        url = _wait_until_healthy(process, log)
        # Known to the server since its first start, which may have been that of an earlier run.
        yield Running(url, (data_dir / "admin.key").read_text().strip())
    finally:
        code = _stop(process)
    if code != 0:
        raise DemoFailed(f"The server ended with status {code} instead of 0")


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if _is_kept(name)}
    return {**kept, "MIXPEEK_BOOTSTRAP_API_KEY": f"sk_{secrets.token_urlsafe(32)}"}


def _is_kept(name: str) -> bool:
    return not name.startswith("MIXPEEK_") or name in KEPT_SETTINGS


def _wait_until_healthy(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        said = log.read_text(errors="replace")
        if process.poll() is not None:
            raise DemoFailed(f"The server ended with status {process.returncode} while starting:\n{said[-2000:]}")
        announced = re.search(r"serving on (http://\S+)", said)
        if announced and _is_healthy(announced[1]):
            return announced[1]
        time.sleep(POLL_S)
    raise DemoFailed(f"The server was not ready within {START_S:g} s")


def _is_healthy(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/v1/health", timeout=5)
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK and bool(answer.json()["data"]["worker"])


def _stop(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise DemoFailed(f"The server did not end within {STOP_S:g} s of SIGTERM") from None
