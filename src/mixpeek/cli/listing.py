"""Lists on the command line: how many rows, in which columns, and what is said of those not shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import typer

from mixpeek.cli.output import Output

Limit = Annotated[int, typer.Option("--limit", "-l", min=1, help="Rows to show at most.")]
All = Annotated[bool, typer.Option("--all", help="Show every row there is.")]

Row = Mapping[str, Any]

MOST_ON_A_PAGE = 1000


@dataclass(frozen=True)
class Column:
    """One column: its title, and the key of a row or what makes the cell of it."""

    title: str
    of: str | Callable[[Row], Any]

    def cell(self, row: Row) -> Any:
        """Return what stands in this column of a row; a time of the server, all of them UTC, is shown to the second."""
        value = self.of(row) if callable(self.of) else row.get(self.of)
        if isinstance(self.of, str) and self.of.endswith("_at") and value is not None:
            return str(value)[:19].replace("T", " ")
        return value


def page_size(limit: int, every: bool) -> int:
    """Return how many rows to ask for at once: one more than is shown, which tells whether there are more."""
    return MOST_ON_A_PAGE if every else min(limit + 1, MOST_ON_A_PAGE)


def show_list(
    output: Output, rows: Iterator[Any], columns: Sequence[Column], *, limit: int, every: bool, empty: str
) -> None:
    """Print `limit` rows, with `every` all of them; in JSON mode as `results`, and whether there are more.

    Args: rows: taken one at a time, so that no page is fetched that nobody sees.
    """
    shown = list(rows if every else islice(rows, limit))
    has_more = not every and next(rows, None) is not None
    output.document({"results": shown, "has_more": has_more})
    titles = [column.title for column in columns]
    output.table(titles, [[column.cell(row) for column in columns] for row in shown], empty=empty)
    if has_more:
        output.say(f"There are more than {limit}; `--all` shows them, `--limit` that many", "dim")


def show_facts(output: Output, answer: Row, facts: Sequence[Column]) -> None:
    """Print one thing, a fact a line, those left out of which nothing is known; in JSON mode the whole answer."""
    output.document(answer)
    known = [(fact.title, value) for fact in facts if (value := fact.cell(answer)) not in (None, "", [], {})]
    width = max((len(title) for title, _ in known), default=0)
    for title, value in known:
        output.show(f"{title:<{width}}  {_text(value)}")


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
