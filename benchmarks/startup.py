"""Time until `GET /v1/health` answers 200, first start and later ones, and idle memory of the whole process tree.

Limits: 3 s on first start (the database is created), 2 s after, 300 MB (PSS, PostgreSQL included).
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

ROUNDS = 5
FIRST_LIMIT_S, AGAIN_LIMIT_S, MEMORY_LIMIT_MB = 3.0, 2.0, 300.0
MIXPEEK = Path(sys.executable).with_name("mixpeek")


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def start(
    data_dir: Path, port: int, log: Path | None = None, **variables: str
) -> tuple[subprocess.Popen[bytes], float]:
    """Start a server, which adds to `log`, and return it with the seconds until it was ready."""
    began = time.perf_counter()
    with Path(log or os.devnull).open("ab") as output:
        process = subprocess.Popen(
            [MIXPEEK, "serve", "--port", str(port), "--data-dir", str(data_dir)],
            stdout=output,
            stderr=output,
            env={**os.environ, "MIXPEEK_BOOTSTRAP_API_KEY": "sk_bench", **variables},
        )
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/health", timeout=1)
            return process, time.perf_counter() - began
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if process.poll() is not None or time.perf_counter() - began > 60:
                raise
            time.sleep(0.01)


def memory_mb(process: subprocess.Popen[bytes], data_dir: Path) -> float:
    """Return the PSS of the server and its database, once the worker has settled."""
    time.sleep(5)
    server = psutil.Process(process.pid)
    postmaster = psutil.Process(int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0]))
    tree = {server, *server.children(recursive=True), postmaster, *postmaster.children(recursive=True)}
    return sum(member.memory_full_info().pss for member in tree) / 1e6


def main() -> None:
    first, again, memory = [], [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            data_dir = Path(folder) / "data"
            for times in (first, again):
                process, seconds = start(data_dir, free_port())
                times.append(seconds)
                if times is again:
                    memory.append(memory_mb(process, data_dir))
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == 0, "the server did not stop cleanly"
    print(f"{'':24}{'median':>10}{'limit':>10}{'of limit':>10}   (rounds: {ROUNDS}, min..max)")
    rows = (
        ("first start, s", first, FIRST_LIMIT_S),
        ("later start, s", again, AGAIN_LIMIT_S),
        ("idle memory, MB PSS", memory, MEMORY_LIMIT_MB),
    )
    for name, values, limit in rows:
        median = statistics.median(values)
        spread = f"{min(values):.2f}..{max(values):.2f}"
        print(f"{name:24}{median:10.2f}{limit:10.2f}{median / limit:9.0%}    {spread}")


if __name__ == "__main__":
    main()
