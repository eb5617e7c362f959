"""Markdown that every page is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTICE = "<!-- Made by `make reference` from the code; change it there. -->"


def heading(title: str, words: str) -> list[str]:
    """Return the lines a page begins with."""
    return [f"# {title}", "", NOTICE, "", words, ""]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table and the empty line after it; nothing for no rows."""
    lines = [_row(row) for row in rows]
    return [_row(columns), _row(["---"] * len(columns)), *lines, ""] if lines else []


def code(text: object) -> str:
    """Return text as inline code; "" for nothing."""
    return f"`{text}`" if text not in (None, "") else ""


def anchor(title: str) -> str:
    """Return the fragment that leads to a heading."""
    return "#" + "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def written(lines: Iterable[str]) -> str:
    """Return the text of a page."""
    return "\n".join(lines).rstrip("\n") + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
