"""What the demo shows: steps, progress with rows per second, and answers in a table."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.box import HORIZONTALS
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from .library import Answer

# Where there is no terminal: columns of a table, and seconds between two lines of progress.
PLAIN_WIDTH, PLAIN_PAUSE_S = 110, 5.0


class Terminal:
    """One stream to people: colour and bars on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        width = None if sys.stdout.isatty() else PLAIN_WIDTH
        self.console = Console(width=width, highlight=False, markup=False, emoji=False)

    def say(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style), soft_wrap=True)

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        """Show that something is going on, and afterwards how long it took."""
        began = time.perf_counter()
        if self.console.is_terminal:
            with self.console.status(doing):
                yield
        else:
            yield
        self.say(f"✓ {doing} ({time.perf_counter() - began:.1f} s)")

    @contextmanager
    def progress(self, doing: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        """Show how many of `total` are done and how many a second; call what is yielded with the number done."""
        began, last_line = time.perf_counter(), time.perf_counter()
        live = self.console.is_terminal
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(),
                   TextColumn("{task.fields[rate]}"), TimeElapsedColumn())  # fmt: skip
        with Progress(*columns, console=self.console, transient=True, disable=not live) as bars:
            bar = bars.add_task(doing, total=total, rate="")

            def report(done: int) -> None:
                nonlocal last_line
                now = time.perf_counter()
                rate = f"{done / (now - began):,.0f} {unit}/s"
                bars.update(bar, completed=done, rate=rate)
                if not live and now - last_line > PLAIN_PAUSE_S:
                    self.say(f"  {done:,} of {total:,}, {rate}")
                    last_line = now

            yield report
        elapsed = time.perf_counter() - began
        self.say(f"✓ {doing}: {total:,} {unit} in {elapsed:.1f} s, {total / elapsed:,.0f} {unit}/s")

    def answers(self, question: str, answers: Sequence[Answer], took_s: float) -> None:
        """Show what was found for one question."""
        title = Text(f"\n“{question}”", "bold").append(f"  {took_s * 1000:.0f} ms", "dim")
        table = Table(title=title, title_justify="left", title_style="", expand=True, box=HORIZONTALS)
        table.add_column("score", justify="right", no_wrap=True)
        table.add_column("name", no_wrap=True)
        table.add_column("kind", no_wrap=True)
        table.add_column("what it says", no_wrap=True, overflow="ellipsis", ratio=1)
        for answer in answers:
            says = answer.content.removeprefix(f"{answer.name}: ")
            table.add_row(f"{answer.score:.3f}", Text(answer.name, "green"), answer.kind, Text(says))
        self.console.print(table)
