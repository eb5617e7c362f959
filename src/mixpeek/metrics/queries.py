"""SQL over what the platform tells of itself: rollouts, tasks, processes; each read by an index, or a small table."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from mixpeek.db.pool import Connection, dict_rows, scalar
from mixpeek.workflows.tasks import IS_OPEN

# A transaction may become visible after one that began later: what is younger than this is read again.
SETTLED_AFTER = "1 minute"


def limit_time(connection: Connection, seconds: float) -> None:
    """Have the statements of this transaction fail rather than take longer."""
    connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(int(seconds * 1000))])


def count_processes(connection: Connection) -> list[dict[str, Any]]:
    return dict_rows(
        connection,
        "SELECT role, count(*)::int AS n FROM processes WHERE heartbeat_at > now() - interval '10 seconds'"
        " GROUP BY role",
    )


def count_live(connection: Connection) -> int:
    """Return how many plugins answer requests; a canary or a shadow is no plugin of its own."""
    return int(scalar(connection, "SELECT count(*) FROM live_deployments WHERE role = 'stable'"))


def count_rollouts_under_way(connection: Connection) -> list[dict[str, Any]]:
    return dict_rows(
        connection,
        "SELECT status, count(*)::int AS n FROM deployments WHERE status IN ('QUEUED', 'PENDING', 'IN_PROGRESS')"
        " GROUP BY status",
    )


def count_open_tasks(connection: Connection) -> list[dict[str, Any]]:
    return dict_rows(
        connection,
        f"SELECT workflow, status, count(*)::int AS n FROM tasks WHERE {IS_OPEN} GROUP BY workflow, status",
    )


def find_outbox(connection: Connection) -> dict[str, Any]:
    """Return how many tasks no worker has taken, and the age of the oldest in seconds."""
    return dict_rows(
        connection,
        "SELECT count(*)::int AS n, COALESCE(EXTRACT(EPOCH FROM now() - min(created_at)), 0)::float8 AS age_s"
        " FROM tasks WHERE dispatched_at IS NULL",
    )[0]


def list_changed_tasks(connection: Connection, since: datetime) -> list[dict[str, Any]]:
    """Return the tasks that changed since then, with the counts of those that are batches."""
    return dict_rows(
        connection,
        "SELECT task_id, workflow, status, created_at, updated_at, additional_data -> 'progress' AS progress FROM tasks"
        " WHERE updated_at > %s",
        [since],
    )


def last_entry(connection: Connection, at: datetime) -> int:
    """Return the number of the ledger's last entry written before then."""
    found = scalar(connection, "SELECT entry FROM plugin_ledger WHERE at <= %s ORDER BY entry DESC LIMIT 1", [at])
    return int(found or 0)


def list_entries(connection: Connection, after: int) -> list[dict[str, Any]]:
    """Return the ledger's entries after one, with their deployments; `settled` once no earlier one can still appear."""
    return dict_rows(
        connection,
        "SELECT l.entry, l.action, l.outcome, d.deployment_type, d.queued_at, d.timeline,"
        f" l.at < now() - interval '{SETTLED_AFTER}' AS settled"
        " FROM plugin_ledger l LEFT JOIN deployments d ON d.deployment_id = l.details ->> 'deployment_id'"
        # A share of traffic that is changed names the rollout that began it, and is none.
        " WHERE l.entry > %s AND NOT l.details ? 'traffic_before' ORDER BY l.entry LIMIT 10000",
        [after],
    )


def name_namespaces(connection: Connection, namespace_ids: Collection[str]) -> list[dict[str, Any]]:
    return dict_rows(
        connection,
        "SELECT namespace_id, namespace_name FROM namespaces WHERE namespace_id = ANY(%s) ORDER BY namespace_id",
        [list(namespace_ids)],
    )


def now(connection: Connection) -> datetime:
    """Return the database's time, when this transaction began."""
    found: datetime = scalar(connection, "SELECT now()")
    return found
