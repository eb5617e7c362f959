"""Runs the demo from end to end: harvest, serve, publish, upload, batch, ask."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mixpeek import Mixpeek
from mixpeek.errors import MixpeekError

from . import library
from .failure import DemoFailed
from .harvest import harvest
from .server import served
from .terminal import Terminal

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
PLURALS = {"module": "modules", "class": "classes", "function": "functions", "method": "methods"}
DATA, LOG = "data", "server.log"
DONE, FAILED, INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str]) -> int:
    """Run the demo and return its exit code."""
    chosen = _parse(arguments)
    # Ended by either signal, the demo ends its server in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    terminal = Terminal()
    folder = (chosen.data_dir or Path(tempfile.mkdtemp(prefix="mixpeek-demo-"))).resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    code = _run_guarded(terminal, folder, chosen.limit, chosen.questions or QUESTIONS)
    # The folder of a failed run stays: the log is in it.
    if chosen.data_dir is None and code != FAILED:
        shutil.rmtree(folder)
    if code == DONE:
        _say_how_to_go_on(terminal, chosen.data_dir)
    return code


def _run_guarded(terminal: Terminal, folder: Path, limit: int, questions: Sequence[str]) -> int:
    try:
        _run(terminal, folder, limit, questions)
    except KeyboardInterrupt:
        terminal.say("Stopped")
        return INTERRUPTED
    except Exception as error:  # the edge of the process: whatever went wrong, say it, and where the log is
        if not isinstance(error, DemoFailed | MixpeekError):
            traceback.print_exc()
        terminal.say(f"error: {error}", "bold red")
        if isinstance(error, MixpeekError) and error.hint:
            terminal.say(f"  {error.hint}")
        terminal.say(f"  The server's log is {folder / LOG}")
        return FAILED
    return DONE


def _run(terminal: Terminal, folder: Path, limit: int, questions: Sequence[str]) -> None:
    with contextlib.ExitStack() as stack:
        with terminal.step("Start a server: database, API, worker"):
            running = stack.enter_context(served(folder / DATA, folder / LOG))
        client = stack.enter_context(Mixpeek(running.api_key, running.url, library.NAMESPACE))
        if not library.is_filled(client):
            _fill(terminal, client, limit)
        for question in questions:
            began = time.perf_counter()
            answers = library.ask(client, question)
            terminal.answers(question, answers, time.perf_counter() - began)
    terminal.say("\n✓ The server ended in order")


def _fill(terminal: Terminal, client: Mixpeek, limit: int) -> None:
    with terminal.step("Read the docstrings of the standard library"):
        entries = harvest(limit)
    if len(entries) < min(limit, FEWEST):
        raise DemoFailed(f"This interpreter's library has only {len(entries)} entries; {FEWEST} were expected")
    kinds = Counter(entry.kind for entry in entries)
    terminal.say("  " + ", ".join(f"{count:,} {PLURALS[kind]}" for kind, count in kinds.most_common()))

    library.create_namespace(client)
    with terminal.step("Publish and deploy the plugin examples/plugins/text_embedding"):
        library.publish_extractor(client)
    library.create_bucket(client)
    library.create_collection(client)
    with terminal.progress("Upload", len(entries), "objects") as report:
        library.upload(client, entries, report)
    with terminal.progress("Embed and store", len(entries), "rows") as report:
        library.run_batch(client, len(entries), report)
    terminal.say(f"  {len(entries):,} objects became {len(entries):,} documents")
    library.create_retriever(client)


def _say_how_to_go_on(terminal: Terminal, data_dir: Path | None) -> None:
    folder = data_dir or Path(".demo")
    again = f"{_shown(Path(sys.executable))} -m examples.demo --data-dir {folder}"
    terminal.say("\nGo on", "bold")
    if data_dir is None:
        terminal.say(f"  {again}   # the same, in a folder that keeps it")
    terminal.say(f"  {again} 'parse a date' 'shuffle a list'   # then ask what you like")
    serve = f"{_shown(Path(sys.executable).with_name('mixpeek'))} serve --data-dir {folder / DATA}"
    terminal.say(f"  {serve}   # or keep it serving; the key is in {folder / DATA / 'admin.key'}")


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help="what to ask instead of the six questions")
    parser.add_argument("--data-dir", type=Path, help="folder that keeps the server's data; the next run reuses it")
    parser.add_argument("--limit", type=int, default=LIMIT, help="entries to index at most (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
