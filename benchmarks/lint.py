"""`mixpeek plugin lint` and `--help` as commands, cold processes: wall time as the median of rounds, against limits.

The plugin is the text scaffold and 100 files of 2.5 kB, the median of a plugin's files, made from the standard library.
`--figures` measures instead what the rules' pages say: what is lost by doing things row by row.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

from scan_speed import pieces

ROUNDS, FILES, FILE_BYTES = 7, 100, 2_500
SCAFFOLD = Path(__file__).parents[1] / "examples" / "plugins" / "text_embedding"
MIXPEEK = Path(sys.executable).with_name("mixpeek")
LINT = ("plugin", "lint")
LIMITS = {("--help",): 0.25, ("plugin", "--help"): 0.25, (*LINT, "--help"): 0.25, LINT: 0.5}


def main() -> int:
    """Print each command's time against its limit; return 1 if one is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", action="store_true", help="measure what the rules' pages say")
    if parser.parse_args().figures:
        figures()
        return 0
    failed = False
    with tempfile.TemporaryDirectory(prefix="lint-") as scratch:
        plugin = build_plugin(Path(scratch) / "plugin")
        took: dict[tuple[str, ...], list[tuple[float, float]]] = {command: [] for command in LIMITS}
        for _ in range(ROUNDS):
            for command, rounds in took.items():
                rounds.append(timed([str(MIXPEEK), *command, *([str(plugin)] if command == LINT else [])]))
        for command, rounds in took.items():
            wall_s, cpu_s = (median(one) for one in zip(*rounds, strict=True))
            is_over = wall_s > LIMITS[command]
            failed = failed or is_over
            told = f"{wall_s:.3f} s, {cpu_s:.3f} s of a processor"
            print(f"{'FAIL' if is_over else 'pass'}  {' '.join(command):<20} {told}; limit {LIMITS[command]} s")
    return int(failed)


def build_plugin(folder: Path) -> Path:
    """Write the scaffold and files beside it, `FILES` of Python in all; return the folder."""
    shutil.copytree(SCAFFOLD, folder, ignore=shutil.ignore_patterns("__pycache__"))
    made = pieces(FILE_BYTES)
    (folder / "parts").mkdir()
    for number in range(FILES - len(list(folder.rglob("*.py")))):
        (folder / "parts" / f"module_{number}.py").write_text(next(made))
    return folder


def timed(command: list[str]) -> tuple[float, float]:
    """Return the seconds from the start of a process to its end, which must be a good one, and those of a processor."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1) or (done.returncode and "lint" not in command):
        raise SystemExit(done.stderr)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def figures() -> None:
    """Print how many times as long each way of going row by row takes."""
    import httpx
    import pandas as pd

    sys.path.insert(0, str(SCAFFOLD.parent))
    from text_embedding.processors.encoder import load_encoder

    from shared.plugins.sdk import parallel_io

    texts = [f"Row {number} of a batch says a few words about one thing or another" for number in range(256)]
    encoder = load_encoder(1)
    encoder.encode(texts[:8])
    report("SEQ001", lambda: [encoder.encode([text]) for text in texts], lambda: encoder.encode(texts), "256 texts")
    tokenizer = encoder._tokenizer
    report(
        "SEQ003", lambda: [tokenizer.encode(text) for text in texts], lambda: tokenizer.encode_batch(texts), "256 texts"
    )
    frame = pd.DataFrame({"text": texts * 40, "size_bytes": 1})
    report(
        "rows.iterrows",
        lambda: [len(row["text"]) for _, row in frame.iterrows()],
        lambda: [len(text) for text in frame["text"]],
        "10,240 rows",
    )

    async def wait(_: str) -> None:
        await asyncio.sleep(0.01)

    async def wait_all() -> None:
        await asyncio.gather(*(wait(text) for text in texts))

    report(
        "rows.event_loop",
        lambda: [asyncio.run(wait(text)) for text in texts],
        lambda: asyncio.run(wait_all()),
        "256 rows that wait 10 ms",
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:

        def ask(_: str) -> str:
            return client.get("/").text

        report(
            "rows.http",
            lambda: [ask(text) for text in texts[:64]],
            lambda: parallel_io(ask, texts[:64]),
            "64 answers after 50 ms",
        )
    server.shutdown()


def report(rule: str, slow: Callable[[], object], fast: Callable[[], object], what: str) -> None:
    """Print how long both ways take, the least of three rounds, and their ratio."""
    times = []
    for way in (slow, fast):
        rounds = []
        for _ in range(3):
            started = time.perf_counter()
            way()
            rounds.append(time.perf_counter() - started)
        times.append(min(rounds))
    print(f"{rule:<16} {times[0] / times[1]:6.1f} times   {times[0]:.3f} s and {times[1]:.3f} s for {what}")


class _Slow(BaseHTTPRequestHandler):
    """Answers after 50 ms."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(0.05)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    sys.exit(main())
