"""The schema's history: which revision a database is at, and how it gets to this program's.

A migration only adds, or it raises the floor: the oldest program, by the newest revision that it knows, which still
runs on what the migration leaves. So programs of two versions run beside each other while the one replaces the other.

Alembic is imported only when there is something to migrate; a plain start reads one row.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from mixpeek.errors import PlatformError

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
# Serialises servers that start together on one database; any constant that nothing else uses.
LOCK = 7_204_651_118
_POLL_S = 0.02
# Whoever wants a table waits behind a migration that waits for it, so that one gives up soon and tries again.
_LOCK_TIMEOUT_S = 3.0
_RETRY_S = 2.0
LOCKS_WAIT_S = 300.0


def head() -> str:
    """Return the newest revision this program knows: the highest number in `migrations/versions`."""
    return max(revisions())


def revisions() -> set[str]:
    return {path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")}


def current(url: str) -> str | None:
    """Return the revision the database is at, or None when it has no schema yet."""
    with psycopg.connect(url, autocommit=True) as connection:
        return revision_of(connection)


def revision_of(connection: psycopg.Connection[Any]) -> str | None:
    """Return the revision that a connection's database is at, or None when it has no schema yet."""
    exists = connection.execute("SELECT to_regclass('public.alembic_version')").fetchone()
    if exists is None or exists[0] is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def floor_of(connection: psycopg.Connection[Any]) -> str | None:
    """Return the oldest program, by its newest revision, that runs on a database; None where none is named yet."""
    exists = connection.execute("SELECT to_regclass('public.schema_floor')").fetchone()
    if exists is None or exists[0] is None:
        return None
    row = connection.execute("SELECT revision FROM schema_floor").fetchone()
    return None if row is None else str(row[0])


@dataclass(frozen=True)
class Standing:
    """Where a database's schema stands as this program sees it; `pending` are the revisions it lacks, in order."""

    current: str | None
    floor: str | None
    pending: tuple[str, ...]

    @property
    def is_known(self) -> bool:
        """Whether this program knows the schema."""
        return self.current is None or self.current in revisions()

    @property
    def is_usable(self) -> bool:
        """Whether this program runs on the schema: its own, or a newer one that only added to it."""
        return self.current == head() or (not self.is_known and self.floor is not None and self.floor <= head())


def standing(connection: psycopg.Connection[Any]) -> Standing:
    """Return where a connection's database stands."""
    at = revision_of(connection)
    pending = sorted(each for each in revisions() if at is None or each > at)
    return Standing(at, floor_of(connection), tuple(pending))


def migrate(url: str, to: str | None = None, *, wait_s: float = LOCKS_WAIT_S) -> Standing:
    """Bring the database to `head()`, or to the revision `to`, once, however many servers start together.

    A database of a newer program, on which this one runs all the same, is left as it is.

    Args: wait_s: how long to try again where a table cannot be locked; each try holds others up for 3 s at most.
    Returns: where the database stood before.
    Raises: PlatformError: a newer program made the database, or it is past `to`, or a table could not be locked.
    """
    target = head() if to is None else to
    if target not in revisions():
        raise PlatformError(f"There is no schema revision {target} here", hint=f"The newest is {head()}")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        before = standing(connection)
        if not before.is_known:
            if to is None and before.is_usable:
                log.warning("the schema is of a newer program, revision %s; this one runs on it", before.current)
                return before
            raise _unknown(before)
        if before.current is not None and before.current > target:
            raise PlatformError(
                f"The database is at revision {before.current}, past {target}",
                hint="Migrations only go forward; restore a backup made before the upgrade instead",
            )
        if before.current != target:
            _upgrade(url, target, wait_s)
    return before


def _unknown(at: Standing) -> PlatformError:
    return PlatformError(
        f"The database is at schema revision {at.current}, which this program (up to {head()}) does not know",
        hint="Run the program version that wrote it, or restore a backup made before the upgrade",
    )


def wait_until_migrated(url: str, timeout_s: float = 60.0) -> None:
    """Return once this program runs on the database; another process is migrating it."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            # One connection for all questions: making one costs both sides more than asking does.
            with psycopg.connect(url, autocommit=True) as connection:
                while not (at := standing(connection)).is_usable:
                    if not at.is_known:
                        raise _unknown(at)
                    if time.monotonic() > deadline:
                        raise PlatformError(
                            f"The database did not reach schema revision {head()} in {timeout_s:.0f} s",
                            hint="Run `mixpeek migrate`, which says what holds it up",
                        )
                    time.sleep(_POLL_S)
                return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_POLL_S)


def _upgrade(url: str, target: str, wait_s: float) -> None:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy.exc import OperationalError

    log.info("migrating the database to revision %s", target)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    config.attributes["lock_timeout_s"] = _LOCK_TIMEOUT_S
    deadline = time.monotonic() + wait_s
    while True:
        try:
            command.upgrade(config, target)
        except OperationalError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"A table could not be locked in {wait_s:.0f} s, so the database is not migrated to {target}",
                    hint="Wait for a backup or another long transaction to end (`pg_stat_activity`), then try again",
                ) from error
            log.warning("a table is in use, trying the migration again in %.0f s", _RETRY_S)
            time.sleep(_RETRY_S)
        else:
            return
