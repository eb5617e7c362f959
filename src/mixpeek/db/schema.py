"""The schema's history: which revision a database is at, and how it gets to this program's.

Alembic is imported only when there is something to migrate; a plain start reads one row.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import psycopg

from mixpeek.errors import PlatformError

MIGRATIONS = Path(__file__).parent / "migrations"
# Serialises servers that start together on one database; any constant that nothing else uses.
LOCK = 7_204_651_118
_POLL_S = 0.02


def head() -> str:
    """Return the newest revision this program knows: the highest number in `migrations/versions`."""
    return max(revisions())


def revisions() -> set[str]:
    return {path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")}


def current(url: str) -> str | None:
    """Return the revision the database is at, or None when it has no schema yet."""
    with psycopg.connect(url, autocommit=True) as connection:
        return _revision(connection)


def _revision(connection: psycopg.Connection[Any]) -> str | None:
    exists = connection.execute("SELECT to_regclass('public.alembic_version')").fetchone()
    if exists is None or exists[0] is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def migrate(url: str) -> None:
    """Bring the database to `head()`, once, however many servers start together.

    Raises: PlatformError: the database was made by a newer program; nothing is changed.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        at = current(url)
        if at is not None and at not in revisions():
            raise PlatformError(
                f"The database is at schema revision {at}, which this program (up to {head()}) does not know",
                hint="Run the program version that wrote it, or restore a backup made before the upgrade",
            )
        if at != head():
            _upgrade(url)


def wait_until_migrated(url: str, timeout_s: float = 60.0) -> None:
    """Return once the database is at `head()`; another process is migrating it."""
    deadline = time.monotonic() + timeout_s
    wanted = head()
    while True:
        try:
            # One connection for all questions: making one costs both sides more than asking does.
            with psycopg.connect(url, autocommit=True) as connection:
                while _revision(connection) != wanted:
                    if time.monotonic() > deadline:
                        raise PlatformError(f"The database did not reach schema revision {wanted} in {timeout_s:.0f} s")
                    time.sleep(_POLL_S)
                return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_POLL_S)


def _upgrade(url: str) -> None:
    from alembic import command
    from alembic.config import Config

    logging.getLogger(__name__).info("migrating the database to revision %s", head())
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    command.upgrade(config, "head")
