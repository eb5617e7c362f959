"""What the database tells of the platform: one short transaction per scrape, nothing kept in the worker for it."""

from __future__ import annotations

import itertools
import logging
from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime

import psycopg

from mixpeek.batches.service import RUN_BATCH
from mixpeek.db.pool import Connection, Database
from mixpeek.deployments.models import UNDER_WAY
from mixpeek.deployments.service import ROLL_OUT
from mixpeek.metrics import queries
from mixpeek.metrics.families import Samples
from mixpeek.metrics.rollouts import Rollouts
from mixpeek.metrics.work import Work

log = logging.getLogger(__name__)

# Whoever scrapes waits 10 s at most, unless told otherwise.
LIMIT_S = 5.0


# Told as 0 too, so that a graph of them has no gaps.
_WORKFLOWS = (ROLL_OUT, RUN_BATCH)
_WAITING_OR_RUNNING = ("PENDING", "IN_PROGRESS")


class PlatformReader:
    """Reads the database; used by one thread at a time. Counters begin at 0 when it is made."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._began_at = datetime.now(UTC)
        self._work = Work(self._began_at)
        self._rollouts: Rollouts | None = None

    def samples(self, namespace_ids: Collection[str]) -> Samples:
        """Return what the platform tells, with the names of these namespaces; only `database_up` where it is away."""
        try:
            with self._database.transaction() as connection:
                queries.limit_time(connection, LIMIT_S)
                return {"database_up": [((), 1)], **self._read(connection, namespace_ids)}
        except psycopg.OperationalError as error:  # a statement that took too long too
            log.warning("the database told nothing for the metrics: %s", error)
            return {"database_up": [((), 0)]}

    def _read(self, connection: Connection, namespace_ids: Collection[str]) -> Samples:
        if self._rollouts is None:
            self._rollouts = Rollouts(queries.last_entry(connection, self._began_at))
        self._rollouts.take(queries.list_entries(connection, self._rollouts.floor))
        self._work.take(queries.list_changed_tasks(connection, self._work.since), queries.now(connection))
        outbox = queries.find_outbox(connection)
        under_way = {row["status"]: row["n"] for row in queries.count_rollouts_under_way(connection)}
        samples: Samples = defaultdict(list)
        samples["processes"] = [((row["role"],), row["n"]) for row in queries.count_processes(connection)]
        samples["deployments_live"] = [((), queries.count_live(connection))]
        samples["deployments_under_way"] = [((str(status),), under_way.get(status, 0)) for status in UNDER_WAY]
        samples["tasks_open"] = [(labels, n) for labels, n in _open_tasks(connection).items()]
        samples["outbox_tasks"] = [((), outbox["n"])]
        samples["outbox_oldest_age_seconds"] = [((), outbox["age_s"])]
        samples["namespace_info"] = [
            ((row["namespace_id"], row["namespace_name"]), 1)
            for row in queries.name_namespaces(connection, namespace_ids)
        ]
        for name, found in itertools.chain(self._rollouts.samples().items(), self._work.samples().items()):
            samples[name] = found
        return samples


def _open_tasks(connection: Connection) -> dict[tuple[str, str], int]:
    counts = dict.fromkeys(itertools.product(_WORKFLOWS, _WAITING_OR_RUNNING), 0)
    return counts | {(row["workflow"], row["status"]): row["n"] for row in queries.count_open_tasks(connection)}
