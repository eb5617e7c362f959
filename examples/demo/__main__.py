"""Runs the demo from end to end: harvest, serve, publish, upload, batch, ask."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from examples.demo import library
from examples.demo.failure import DemoFailed
from examples.demo.harvest import Entry, harvest
from examples.demo.server import served
from examples.demo.terminal import Terminal
from mixpeek import Mixpeek
from mixpeek.errors import MixpeekError

QUESTIONS = (
    "read rows from a csv file",
    "schedule an event to run later",
    "run another program and capture its output",
    "measure how long a piece of code takes",
    "attach an image to an email",
    "remember the results of a slow function",
)
# The library of CPython 3.11 has about 5,000 entries; the limit keeps the time of a run known with any interpreter.
LIMIT, FEWEST = 6000, 3000


def main(arguments: Sequence[str]) -> int:
    """Run the demo and return its exit code."""
    chosen = _parse(arguments)
    # So that the server is ended in order when the demo is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = chosen.data_dir or Path(tempfile.mkdtemp(prefix="mixpeek-demo-"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder / "server.log"
    terminal = Terminal()
    try:
        _run(terminal, folder.resolve(), log, chosen.limit, chosen.questions or QUESTIONS)
    except KeyboardInterrupt:
        terminal.say("Stopped")
        return 130
    except Exception as error:  # the edge of the process: whatever went wrong, say it and where the log is
        if not isinstance(error, DemoFailed | MixpeekError):
            traceback.print_exc()
        terminal.say(f"error: {error}", "bold red")
        if isinstance(error, MixpeekError) and error.hint:
            terminal.say(f"  {error.hint}")
        terminal.say(f"  The server's log is {log}")
        return 1
    if chosen.data_dir is None:
        shutil.rmtree(folder)
    _say_how_to_go_on(terminal, chosen.data_dir)
    return 0


def _run(terminal: Terminal, folder: Path, log: Path, limit: int, questions: Sequence[str]) -> None:
    began = time.perf_counter()
    with terminal.step("Started a server: database, API and worker"):
        server = served(folder / "data", log)
        running = server.__enter__()


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help="what to ask instead of the six questions")
    parser.add_argument("--data-dir", type=Path, help="folder that keeps the server's data; the next run reuses it")
    parser.add_argument("--limit", type=int, default=LIMIT, help="entries to index at most (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
