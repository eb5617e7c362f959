"""A server that is ready to be asked, the processes it consists of, and one round of load on it."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import processes

HERE = Path(__file__).resolve().parent
_SETTLING_S = 0.3
_SETTLED_WITHIN_S = 30.0


class LoadFailed(Exception):
    """A contender did not answer every request with 200."""


@dataclass(frozen=True)
class Target:
    """Where a server takes requests, and the process whose tree it is; each line of `body` is sent in turns."""

    port: int
    path: str
    body: bytes
    headers: tuple[str, ...]
    pid: int

    def load(self, concurrency: int, seconds: float) -> dict[str, Any]:
        """Return what one round of load met; raise LoadFailed unless every request was answered 200."""
        line = [sys.executable, HERE / "load.py", self.port, self.path, concurrency, seconds, *self.headers]
        done = subprocess.run(list(map(str, line)), input=self.body, capture_output=True, check=False, timeout=300)
        if done.returncode:
            raise LoadFailed(done.stderr.decode()[-1000:])
        result: dict[str, Any] = json.loads(done.stdout)
        if result["failed"]:
            raise LoadFailed(f"{result['failed']} of {result['requests']}: {result['first_failure']}")
        return result

    @contextlib.contextmanager
    def awake(self) -> Iterator[Target]:
        """Let the server run, and stop it afterwards; entered once it answers as before it was stopped."""
        processes.thaw(self.pid)
        try:
            self.settle()
            yield self
        finally:
            processes.freeze(self.pid)

    def settle(self) -> None:
        """Ask until all is answered: a server that was stopped may first find its own connections timed out."""
        deadline = time.monotonic() + _SETTLED_WITHIN_S
        while True:
            try:
                self.load(8, _SETTLING_S)
            except LoadFailed:
                if time.monotonic() > deadline:
                    raise
            else:
                return

    def answers(self) -> bool:
        """Return whether one request is answered 200 now."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = dict(line.split(": ", 1) for line in ("content-type: application/json", *self.headers))
        try:
            connection.request("POST", self.path, self.body.partition(b"\n")[0], headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return answer.status == 200
