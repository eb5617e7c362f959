"""Lines that plugin hosts printed and logged, as they are shown, whoever they were printed for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mixpeek.cli.output import Output

if TYPE_CHECKING:
    from mixpeek.client import Response

MOST_ON_A_PAGE = 1000
_STYLES = {"warning": "yellow", "error": "red", "critical": "bold red", "debug": "dim"}


class Level(StrEnum):
    """The least severe lines shown."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


def latest(page_at: Callable[..., Response], lines: int, *, least: Level = Level.DEBUG) -> list[Response]:
    """Return so many of the latest lines, page by page from the newest; `page_at` takes `limit` and `cursor`.

    Args: least: lines of a lower level are left out here, where the server cannot do so.
    """
    found: list[Response] = []
    cursor: str | None = None
    while len(found) < lines:
        page = page_at(limit=min(lines - len(found), MOST_ON_A_PAGE), cursor=cursor)
        found = [*(line for line in page["results"] if _is_at_least(line, least)), *found]
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            break
    return found


def _is_at_least(line: Mapping[str, Any], least: Level) -> bool:
    order = [*Level]
    level = str(line.get("level"))
    return level not in order or order.index(Level(level)) >= order.index(least)


def show_line(output: Output, line: Mapping[str, Any]) -> None:
    """Print one line, what follows its first line break indented below it."""
    text = str(line["message"])
    if line.get("exception"):
        text += f"\n{line['exception']}"
    first, *more = text.expandtabs().splitlines() or [""]
    moment = str(line["at"])[:23].replace("T", " ")
    logger = f"{line['logger']}: " if line.get("logger") else ""
    said = "mixpeek: " if line.get("stream") == "platform" else logger
    if line.get("chunk") is not None:
        said = f"chunk {line['chunk']}{', ' + line['step'] if line.get('step') else ''}: {said}"
    level = str(line.get("level") or "info")
    style = _STYLES.get(level, "")
    output.show(f"{moment} {line.get('source') or '':<8} {level:<8} {said}{first}", style)
    for rest in more:
        output.show(f"    {rest}", style)
