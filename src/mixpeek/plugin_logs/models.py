"""A kept line of a plugin's log, and which lines a reader asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mixpeek.host.records import LEVELS

# Text of one answer or of what is sent at once to who follows; the line that goes beyond it is the last.
MOST_BYTES = 4 * 1024**2


@dataclass(frozen=True)
class KeptLine:
    """A line as it is stored; `level` is its place in `LEVELS`."""

    id: int
    deployment_id: str | None
    batch_id: str | None
    host_id: str
    source: str
    stream: str
    level: int
    logger: str | None
    message: str
    exception: str | None
    at: datetime
    size_bytes: int
    chunk: int | None = None
    step: str | None = None

    def wire(self) -> dict[str, Any]:
        """Return the line as it is sent."""
        sent = {**vars(self), "level": LEVELS[self.level]}
        del sent["size_bytes"]
        return sent


def may_go_on(lines: Sequence[KeptLine], limit: int) -> bool:
    """Tell whether more lines may follow these, which were asked for with a limit."""
    return len(lines) == limit or sum(line.size_bytes for line in lines) >= MOST_BYTES


@dataclass(frozen=True)
class LogFilter:
    """Which lines of one plugin version are asked for; `level` is the least one."""

    namespace_id: str
    plugin_id: str
    deployment_id: str | None = None
    source: str | None = None
    level: str | None = None
    since: datetime | None = None

    def params(self) -> dict[str, Any]:
        """Return the values of a statement's parameters."""
        return {**vars(self), "level": 0 if self.level is None else LEVELS.index(self.level)}
