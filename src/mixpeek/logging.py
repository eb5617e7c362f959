"""How the server's own processes write their log: one line an event, `key=value` or JSON, on standard error."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime

# A shorter text would hide words that have nothing to do with it.
SHORTEST_HIDDEN = 6

request_id: ContextVar[str] = ContextVar("request_id", default="-")
_hidden: ContextVar[set[str] | None] = ContextVar("hidden", default=None)


@contextlib.contextmanager
def hiding() -> Iterator[None]:
    """Keep what `hide` is told out of the log of this context; at its end the texts themselves are forgotten.

    A second belt: nothing is meant to log a secret in the first place.
    """
    texts: set[str] = set()
    token = _hidden.set(texts)
    try:
        yield
    finally:
        _hidden.reset(token)
        texts.clear()  # work that was begun within may still hold the set


def hide(text: str) -> None:
    """Write `***` for a text of 6 characters or more in every later line of this context; without `hiding` do nothing.

    Also where it stands quoted, as in a `repr` or in JSON.
    """
    hidden = _hidden.get()
    if hidden is not None and len(text) >= SHORTEST_HIDDEN:
        hidden |= spellings(text)


def spellings(text: str) -> set[str]:
    """Return a text as it stands alone, and as it stands quoted in a `repr` or in JSON."""
    return {text, repr(text)[1:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}


def without_hidden(line: str) -> str:
    """Return a line with `***` for every text that is hidden in this context."""
    for text in sorted(_hidden.get() or (), key=len, reverse=True):
        line = line.replace(text, "***")
    return line


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return without_hidden(super().format(record))


class _Json(logging.Formatter):
    """One JSON object an event: `time`, `level`, `process`, `logger`, `request_id`, `message`, `error`."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "request_id": request_id.get(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return without_hidden(json.dumps(line, ensure_ascii=False))


def event(process: str, message: str, log_format: str) -> str:
    """Return the line by which a process that has no loggers, the supervisor, says something."""
    if log_format == "text":
        return f"mixpeek: {message}"
    record = logging.LogRecord(process, logging.INFO, "", 0, message, None, None)
    return _Json(process).format(record)


def configure(process: str, level: str, log_format: str = "text") -> None:
    """Send every logger of this process to standard error, tagged with the process's name, as text or as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    layout = f"%(asctime)s %(levelname)s {process} %(name)s request=%(request_id)s %(message)s"
    handler.setFormatter(_Json(process) if log_format == "json" else _Line(layout, "%Y-%m-%dT%H:%M:%S%z"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("httpx", "alembic", "psycopg.pool", "uvicorn.access", "uvicorn.error", "dbos"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
