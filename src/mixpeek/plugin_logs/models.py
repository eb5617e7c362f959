"""A kept line of a plugin's log, and which lines a reader asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mixpeek.host.records import LEVELS


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

    def wire(self) -> dict[str, Any]:
        """Return the line as it is sent."""
        return {**vars(self), "level": LEVELS[self.level]}


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
