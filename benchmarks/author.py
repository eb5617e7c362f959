"""What an author waits for with the text template: a cold `mixpeek plugin test`, a watched one after a save, `--help`.

Limits: 3 s, 1 s after a save of a module, 0.25 s. Run alone on the machine, from an environment without the extra
`dev`: pytest loads the plugins of all that is installed, and those of `dev` take a second of their own.
"""

from __future__ import annotations

import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
COLD_LIMIT_S, SAVED_LIMIT_S, HELP_LIMIT_S = 3.0, 1.0, 0.25
MIXPEEK = Path(sys.executable).with_name("mixpeek")
_TOLD = re.compile(r"^([0-9.]+) s; waiting for a save")


def run(*arguments: str, cwd: Path) -> float:
    """Return the seconds one command takes; it must succeed."""
    began = time.perf_counter()
    subprocess.run([MIXPEEK, *arguments], cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def saved(plugin: Path) -> list[float]:
    """Return the seconds from each save to its verdict; between two, as long as an author needs to read it."""
    watching = subprocess.Popen(
        [MIXPEEK, "plugin", "test", "--watch"],
        cwd=plugin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert watching.stdout is not None
    module, times, began = plugin / "processors" / "core.py", [], 0.0
    try:
        for line in watching.stdout:
            if not _TOLD.match(line):
                continue
            if began:
                times.append(time.perf_counter() - began)
            if len(times) == ROUNDS:
                break
            time.sleep(3)
            began = time.perf_counter()
            module.write_text(f"{module.read_text()}\n# saved\n")
    finally:
        watching.send_signal(signal.SIGINT)
        watching.wait(30)
    return times


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run("plugin", "init", "bench_words", "--category", "text", cwd=Path(folder))
        plugin = Path(folder) / "bench_words"
        rows = (
            ("`--help`, s", [run("--help", cwd=plugin) for _ in range(ROUNDS)], HELP_LIMIT_S),
            ("cold `plugin test`, s", [run("plugin", "test", cwd=plugin) for _ in range(ROUNDS)], COLD_LIMIT_S),
            ("save to verdict, s", saved(plugin), SAVED_LIMIT_S),
        )
    print(f"{'':24}{'median':>10}{'limit':>10}{'of limit':>10}   (rounds: {ROUNDS}, min..max)")
    failed = False
    for name, values, limit in rows:
        median = statistics.median(values)
        failed = failed or median > limit
        print(f"{name:24}{median:10.2f}{limit:10.2f}{median / limit:9.0%}    {min(values):.2f}..{max(values):.2f}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
