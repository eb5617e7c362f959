"""Clearing what nothing refers to any more: abandoned uploads, archives of unpublished versions, caches of versions.

Nothing that a version, a collection or the ledger refers to is ever touched; running it twice, or halfway, is harmless.
"""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mixpeek.db.pool import Database, dict_rows
from mixpeek.execution.environments.lock import Lock
from mixpeek.execution.environments.store import Environments
from mixpeek.objects.store import ObjectStore
from mixpeek.registry import queries
from mixpeek.registry.service import ARCHIVES_LOCK

log = logging.getLogger(__name__)

# An archive is stored a moment before the row that refers to it commits; younger ones are left alone.
ORPHAN_AGE = timedelta(hours=1)


@dataclass(frozen=True)
class Cleared:
    """How many of each were removed."""

    uploads: int
    archives: int
    unpacked: int
    environments: int


class Retention:
    """Clears one platform's leftovers."""

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        unpacked: Path,
        unpacked_days: float,
        environments: Environments,
        environment_days: float,
    ) -> None:
        self._environments = environments
        self._environment_days = environment_days
        self._database = database
        self._objects = objects
        self._unpacked = unpacked
        self._unpacked_days = unpacked_days

    def clear(self) -> Cleared:
        """Remove what has expired and say how much it was."""
        with self._database.transaction() as connection:
            live = queries.list_live(connection)
        locks = [Lock.from_wire(version["lock"]) for version in live if version["lock"] is not None]
        cleared = Cleared(
            self._clear_uploads(),
            self._clear_archives(),
            self._clear_unpacked({version["code_hash"] for version in live}),
            self._environments.clear(locks, self._environment_days),
        )
        if cleared != Cleared(0, 0, 0, 0):
            log.info(
                "cleared uploads=%d archives=%d unpacked=%d environments=%d",
                cleared.uploads, cleared.archives, cleared.unpacked, cleared.environments,
            )  # fmt: skip
        return cleared

    def _clear_uploads(self) -> int:
        """Remove uploads that expired without being confirmed, and the bytes of those that were."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM plugin_uploads WHERE state = 'requested' AND expires_at < now() - interval '1 hour'"
            )
            open_keys = {
                row["object_key"]
                for row in dict_rows(connection, "SELECT object_key FROM plugin_uploads WHERE state = 'requested'")
            }
        return self._delete_old("uploads/", open_keys)

    def _clear_archives(self) -> int:
        with self._database.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [ARCHIVES_LOCK])
            kept = {row["archive_key"] for row in dict_rows(connection, "SELECT archive_key FROM plugin_versions")}
            return self._delete_old("archives/", kept)

    def _delete_old(self, prefix: str, kept: set[str]) -> int:
        before = datetime.now(UTC) - ORPHAN_AGE
        old = [key for key, modified in self._objects.list(prefix) if modified < before and key not in kept]
        for key in old:
            self._objects.delete(key)
        return len(old)

    def _clear_unpacked(self, live: set[str]) -> int:
        """Remove unpacked copies not started from for a while; they are unpacked again when needed.

        A live version's host may have been started long ago and still read its files.
        """
        if not self._unpacked.is_dir():
            return 0
        before = time.time() - self._unpacked_days * 86400
        old = [path for path in self._unpacked.iterdir() if path.name not in live and path.stat().st_mtime < before]
        for path in old:
            shutil.rmtree(path, ignore_errors=True)
        return len(old)
