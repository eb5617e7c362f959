"""The mirrors of this process, and their reports on the way to the database."""

from __future__ import annotations

import asyncio
import logging

import psycopg

from mixpeek.contract.manifest import Feature
from mixpeek.db.pool import Database
from mixpeek.deployments import queries
from mixpeek.errors import MixpeekError
from mixpeek.serving.mirror import Mirror
from mixpeek.serving.replica_set import ReplicaSet

log = logging.getLogger(__name__)

FLUSH_S = 2.0


class Shadowing:
    """Keeps a mirror for each shadow, and writes every few seconds what they have counted.

    Each process writes rows of its own, whole, so that a write may be repeated and nothing is counted twice.
    """

    def __init__(self, database: Database, process_id: str) -> None:
        self._database = database
        self._process_id = process_id
        self._mirrors: dict[str, Mirror] = {}  # by deployment id of the shadow
        self._written: dict[str, int] = {}  # what `seen` was then

    def mirror_for(
        self, deployment_id: str, shadow: ReplicaSet, embeddings: tuple[Feature, ...], compared_with: str
    ) -> Mirror:
        """Return the mirror of a shadow: the same one for as long as it is deployed, as it goes on counting."""
        found = self._mirrors.get(deployment_id)
        if found is None:
            found = self._mirrors[deployment_id] = Mirror(shadow, embeddings, compared_with)
        return found

    def keep(self, deployment_ids: set[str]) -> None:
        """Let go of mirrors whose deployments have ended, once what they counted is written."""
        for deployment_id in self._mirrors.keys() - deployment_ids:
            if self._mirrors[deployment_id].report.seen == self._written.get(deployment_id, 0):
                self._mirrors.pop(deployment_id).close()
                self._written.pop(deployment_id, None)

    async def flush_forever(self) -> None:
        """Write what was counted every few seconds until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what was counted since the last time; a database that is away gets it the next time."""
        for deployment_id, mirror in list(self._mirrors.items()):
            seen = mirror.report.seen
            if seen == self._written.get(deployment_id, 0):
                continue
            wire = mirror.report.wire()
            try:
                await asyncio.to_thread(self._save, deployment_id, mirror.compared_with, wire)
            except (psycopg.Error, MixpeekError) as error:
                log.warning("what shadow %s answered could not be recorded, trying again: %s", deployment_id, error)
                return
            self._written[deployment_id] = seen

    def _save(self, deployment_id: str, compared_with: str, wire: dict[str, object]) -> None:
        with self._database.transaction() as connection:
            queries.save_shadow_report(connection, deployment_id, self._process_id, compared_with, wire)
