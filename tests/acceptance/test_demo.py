"""The demo, as `make demo` runs it but over fewer entries, and what it does when something goes wrong."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from factories.servers import surroundings
from factories.waiting import until

ROOT = Path(__file__).resolve().parents[2]


def start_demo(*arguments: str | Path, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "examples.demo", *map(str, arguments)],
        cwd=ROOT,
        env=surroundings(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell that runs the suite in the background has it ignore Ctrl-C, which children would inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- no thread runs here yet
    )


def run_demo(*arguments: str | Path, **variables: str) -> tuple[int, str]:
    demo = start_demo(*arguments, **variables)
    out, _ = demo.communicate(timeout=240)
    return demo.returncode, out


def test_the_library_is_read_in_isolation_and_each_text_once(tmp_path: Path) -> None:
    into = tmp_path / "entries.jsonl"
    # Were the current folder searched, this would be taken for the library's module.
    (tmp_path / "csv.py").write_text("raise SystemExit('not the library')")

    subprocess.run([sys.executable, "-I", "-S", ROOT / "examples/demo/harvest.py", into], cwd=tmp_path, check=True)
    entries = [json.loads(line) for line in into.read_text().splitlines()]

    assert len(entries) >= 3000
    assert len({entry["text"] for entry in entries}) == len(entries)
    assert {entry["kind"] for entry in entries} == {"module", "class", "function", "method"}
    assert {"csv.reader", "subprocess.run", "json"} <= {entry["name"] for entry in entries}


def test_the_demo_answers_and_a_later_run_reuses_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "demo"

    code, out = run_demo("--limit", "64", "--data-dir", folder)
    again_code, again = run_demo("--data-dir", folder, "rows of a csv file")

    assert code == 0, out
    assert "64 objects became 64 documents" in out
    assert len(re.findall(r"^“.*”  \d+ ms", out, re.MULTILINE)) == 6
    assert "Go on" in out
    assert again_code == 0, again
    assert "“rows of a csv file”" in again
    assert "Embed and store" not in again


def test_a_failure_says_what_failed_and_where_the_log_is(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")

    code, out = run_demo("--limit", "64", "--data-dir", tmp_path)

    assert code == 1
    assert "error: The server ended with status 1 while starting" in out
    assert f"The server's log is {tmp_path / 'server.log'}" in out


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ending_the_demo_ends_its_server(tmp_path: Path, sent: signal.Signals) -> None:
    demo = start_demo("--data-dir", tmp_path, "--limit", "64")
    own = psutil.Process(demo.pid)
    until((tmp_path / "data" / "postgres").is_dir, what="the server creates its database")
    started = own.children(recursive=True)

    demo.send_signal(sent)
    out, _ = demo.communicate(timeout=60)

    assert demo.returncode == 130, out
    assert started
    until(lambda: not any(child.is_running() for child in started), what="every process of the server has ended")
