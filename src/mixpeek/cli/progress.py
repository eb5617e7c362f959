"""Progress on stderr while something takes time: bytes on their way up, a deployment, a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mixpeek.cli.output import Output
from mixpeek.inspection.findings import escape

# How batches and their diagnostics name what is done and what there is to do.
_COUNTS = (("objects_committed", "objects"), ("processed_documents", "total_documents"))

Report = Callable[[Mapping[str, Any]], None]


@contextmanager
def upload_bar(output: Output, size_bytes: int) -> Iterator[Callable[[int], None]]:
    """Show a bar of bytes; call what is yielded with the number of bytes sent so far."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("  Uploading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=output.stderr, transient=True, disable=not _is_live(output)) as progress:
        bar = progress.add_task("upload", total=size_bytes)
        yield lambda sent: progress.update(bar, completed=sent)


@contextmanager
def status_bar(output: Output, what: str) -> Iterator[Report]:
    """Show the status of a task or a deployment, with a bar where the server says how far it is.

    Where stderr is no terminal, each change of status, or of a deployment's phase, is one line.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    live = _is_live(output)
    columns = (TextColumn("  {task.description}"), BarColumn(), TextColumn("{task.fields[count]}"), TimeElapsedColumn())
    with Progress(*columns, console=output.stderr, transient=True, disable=not live) as progress:
        bar = progress.add_task(what, total=None, count="")
        last = ""

        def report(answer: Mapping[str, Any]) -> None:
            nonlocal last
            phase = f", {escape(str(answer['phase']))}" if answer.get("phase") else ""
            text = f"{what}: {escape(str(answer.get('status')))}{phase}{pause_of(answer)}"
            done, total = counts_of(answer)
            count = "" if total is None else f"{done:,} of {total:,}{running_of(answer)}{speed_of(answer)}"
            progress.update(bar, description=text, total=total, completed=done, count=count)
            if not live and text != last:
                output.say(f"  {text}")
            last = text

        yield report


@contextmanager
def count_bar(output: Output, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show how many things are done; call what is yielded with the number of those done since."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(f"  {what}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output.stderr, transient=True, disable=not _is_live(output)) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda more: progress.advance(bar, more)


@contextmanager
def spinner(output: Output, what: str) -> Iterator[None]:
    """Show that something is going on."""
    if not _is_live(output):
        yield
        return
    with output.stderr.status(what):
        yield


def counts_of(answer: Mapping[str, Any]) -> tuple[int, int | None]:
    """Return how many of how many objects are done, as far as a task or a batch says; the total is None if unknown."""
    for source in (answer, answer.get("additional_data"), answer.get("outputs")):
        progress = source.get("progress", source) if isinstance(source, Mapping) else None
        if not isinstance(progress, Mapping):
            continue
        for done_key, total_key in _COUNTS:
            done, total = progress.get(done_key), progress.get(total_key)
            if isinstance(done, int) and isinstance(total, int):
                return done, total
    return 0, None


def speed_of(answer: Mapping[str, Any]) -> str:
    """Return how fast a batch goes and how long it still takes, as far as it says so."""
    progress = answer.get("progress")
    if not isinstance(progress, Mapping):
        return ""
    rate, left_s = progress.get("rows_per_s"), progress.get("eta_s")
    words = f", {rate:,.0f} rows/s" if isinstance(rate, int | float) else ""
    return f"{words}, {left_s:,.0f} s left" if isinstance(left_s, int | float) else words


def running_of(answer: Mapping[str, Any]) -> str:
    """Return how many rows of the chunks under way the plugin says it has done, "" where it says nothing."""
    progress = answer.get("progress")
    running = progress.get("running") if isinstance(progress, Mapping) else None
    if not isinstance(running, list) or not running:
        return ""
    done, rows = (sum(chunk[name] for chunk in running) for name in ("done", "rows"))
    return f", {done:,.0f} of {rows:,} rows under way"


def pause_of(answer: Mapping[str, Any]) -> str:
    """Return why a batch waits, "" if it does not."""
    progress = answer.get("progress")
    paused = progress.get("paused") if isinstance(progress, Mapping) else None
    return f", waits: {escape(str(paused.get('cause')))}" if isinstance(paused, Mapping) else ""


def _is_live(output: Output) -> bool:
    return not output.json_mode and output.stderr.is_terminal
