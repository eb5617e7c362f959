"""How the server's own processes write their log: one line an event, `key=value`, on standard error."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="-")


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return super().format(record)


def configure(process: str, level: str) -> None:
    """Send every logger of this process to standard error, tagged with the process's name."""
    handler = logging.StreamHandler(sys.stderr)
    layout = f"%(asctime)s %(levelname)s {process} %(name)s request=%(request_id)s %(message)s"
    handler.setFormatter(_Line(layout, "%Y-%m-%dT%H:%M:%S%z"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("httpx", "alembic", "psycopg.pool", "uvicorn.access", "uvicorn.error", "dbos"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
