"""SQL over deployments, live_deployments, replicas and processes."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row
from mixpeek.deployments.models import Deployment, Phase, Share, Status
from mixpeek.deployments.states import State, list_before
from mixpeek.errors import NotFound, PlatformError

CHANNEL = "mixpeek_deployments"
# A process whose heartbeat is older than this is taken for dead.
HEARTBEAT_LIMIT = "10 seconds"
COLUMNS = (
    "deployment_id, namespace_id, plugin_id, name, deployment_type, role, traffic, action, status, phase, error,"
    " failure, message, warnings, timeline, actor, task_id, queued_at, finished_at"
)
# The stable version of a name answers what its canary does not.
SHARES = (
    "SELECT namespace_id, name, plugin_id, deployment_id, role, since, COALESCE(traffic, 100 - COALESCE(sum(traffic)"
    " OVER (PARTITION BY namespace_id, name), 0))::int AS traffic FROM live_deployments"
)


def insert_deployment(connection: Connection, deployment: dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO deployments (deployment_id, namespace_id, plugin_id, name, deployment_type, role, traffic,"
        " action, status, phase, message, actor, task_id) VALUES (%(deployment_id)s, %(namespace_id)s, %(plugin_id)s,"
        " %(name)s, %(deployment_type)s, %(role)s, %(traffic)s, %(action)s, %(status)s, %(phase)s, %(message)s,"
        " %(actor)s, %(task_id)s)",
        deployment,
    )


def find_deployment(connection: Connection, deployment_id: str) -> Deployment | None:
    return first_row(
        connection, Deployment, f"SELECT {COLUMNS} FROM deployments WHERE deployment_id = %s", [deployment_id]
    )


def find_latest(connection: Connection, namespace_id: str, plugin_id: str) -> Deployment | None:
    return first_row(
        connection,
        Deployment,
        f"SELECT {COLUMNS} FROM deployments WHERE namespace_id = %s AND plugin_id = %s ORDER BY queued_at DESC LIMIT 1",
        [namespace_id, plugin_id],
    )


def find_under_way(connection: Connection, namespace_id: str, name: str) -> Deployment | None:
    """Return the rollout of this name that was asked for last, of those that have not ended; None if all have."""
    return first_row(
        connection,
        Deployment,
        f"SELECT {COLUMNS} FROM deployments WHERE namespace_id = %s AND name = %s"
        " AND status IN ('QUEUED', 'PENDING', 'IN_PROGRESS') ORDER BY queued_at DESC LIMIT 1",
        [namespace_id, name],
    )


def find_wish_of_live(connection: Connection, namespace_id: str, name: str) -> Deployment | None:
    """Return the deployment by which the stable version of a name answers, None if nothing of it is live."""
    live = find_live(connection, namespace_id, name)
    return find_deployment(connection, live["deployment_id"]) if live else None


def find_wish_of_active(connection: Connection, namespace_id: str, name: str) -> Deployment | None:
    """Return the last deployment that made the active version of a name so, for requests or for batches only."""
    return first_row(
        connection,
        Deployment,
        f"SELECT {COLUMNS} FROM deployments WHERE namespace_id = %(ns)s AND plugin_id = (SELECT plugin_id"
        " FROM active_versions WHERE namespace_id = %(ns)s AND name = %(name)s) AND role = 'stable'"
        " AND status IN ('DEPLOYED', 'NOT_DEPLOYED') ORDER BY queued_at DESC LIMIT 1",
        {"ns": namespace_id, "name": name},
    )


def enter_phase(connection: Connection, deployment_id: str, status: Status, phase: Phase) -> bool:
    """Move a deployment on, adding the moment to its timeline, and wake whoever watches.

    Returns: False if it is in this state already: a step that is repeated after a crash changes nothing.
    Raises: NotFound: there is no such deployment. PlatformError: it may not go to this state from the one it is in.
    """
    before = list_before((status, phase))
    moved = connection.execute(
        "UPDATE deployments SET status = %(status)s, phase = %(phase)s, timeline = timeline || jsonb_build_array("
        " jsonb_build_object('phase', %(phase)s::text, 'status', %(status)s::text, 'at', clock_timestamp()))"
        " WHERE deployment_id = %(id)s"
        " AND (status, phase) IN (SELECT * FROM unnest(%(statuses)s::text[], %(phases)s::text[]))",
        {
            "id": deployment_id,
            "status": status,
            "phase": phase,
            "statuses": [state[0] for state in before],
            "phases": [state[1] for state in before],
        },
    )
    if moved.rowcount == 0:
        _check_repeated(connection, deployment_id, (status, phase))
        return False
    notify(connection)
    return True


def _check_repeated(connection: Connection, deployment_id: str, wanted: State) -> None:
    found = find_deployment(connection, deployment_id)
    if found is None:
        raise NotFound("deployment", deployment_id)
    if (found.status, found.phase) != wanted:
        raise PlatformError(
            f"Deployment {deployment_id} is {found.status} ({found.phase}); it cannot become {wanted[0]} ({wanted[1]})"
        )


def note(connection: Connection, deployment_id: str, detail: str) -> None:
    """Say in the timeline how the phase that a deployment is in went."""
    connection.execute(
        "UPDATE deployments SET timeline = jsonb_set(timeline, '{-1,detail}', to_jsonb(%s::text))"
        " WHERE deployment_id = %s",
        [detail, deployment_id],
    )


def finish(
    connection: Connection,
    deployment_id: str,
    status: Status,
    phase: Phase,
    *,
    error: str | None = None,
    failure: dict[str, Any] | None = None,
    warnings: list[str] | None = None,
) -> bool:
    """Move a deployment to how it ended, or to live; as `enter_phase`."""
    if not enter_phase(connection, deployment_id, status, phase):
        return False
    connection.execute(
        "UPDATE deployments SET error = %s, failure = %s, warnings = COALESCE(%s, warnings), finished_at = now()"
        " WHERE deployment_id = %s",
        [
            error,
            None if failure is None else Jsonb(failure),
            None if warnings is None else Jsonb(warnings),
            deployment_id,
        ],
    )
    return True


def notify(connection: Connection) -> None:
    connection.execute(f"NOTIFY {CHANNEL}")


def find_live(connection: Connection, namespace_id: str, name: str) -> dict[str, Any] | None:
    """Return the stable version of a name, None if nothing of it is live."""
    rows = dict_rows(
        connection,
        "SELECT plugin_id, deployment_id, since FROM live_deployments"
        " WHERE namespace_id = %s AND name = %s AND role = 'stable'",
        [namespace_id, name],
    )
    return rows[0] if rows else None


def set_live(connection: Connection, namespace_id: str, name: str, plugin_id: str, deployment_id: str) -> None:
    """Make one deployment the stable one of `name`, in place of the one that was; this is the switch.

    One of a version that stands beside the stable one already takes its place there, which must be free.
    """
    moved = connection.execute(
        "UPDATE live_deployments SET deployment_id = %s, role = 'stable', traffic = NULL, since = now()"
        " WHERE namespace_id = %s AND plugin_id = %s",
        [deployment_id, namespace_id, plugin_id],
    )
    if moved.rowcount:
        return
    connection.execute(
        "INSERT INTO live_deployments (namespace_id, name, plugin_id, deployment_id) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (namespace_id, name) WHERE role = 'stable' DO UPDATE SET plugin_id = EXCLUDED.plugin_id,"
        " deployment_id = EXCLUDED.deployment_id, since = now()",
        [namespace_id, name, plugin_id, deployment_id],
    )


def delete_live(connection: Connection, namespace_id: str, plugin_id: str) -> str | None:
    """Stop a version from answering; return the deployment that did, or None."""
    rows = dict_rows(
        connection,
        "DELETE FROM live_deployments WHERE namespace_id = %s AND plugin_id = %s RETURNING deployment_id",
        [namespace_id, plugin_id],
    )
    return rows[0]["deployment_id"] if rows else None


def list_shares(connection: Connection, namespace_id: str, name: str) -> list[Share]:
    """Return the versions that the requests following a name concern: the stable one first, at most two."""
    return all_rows(
        connection,
        Share,
        f"SELECT plugin_id, deployment_id, role, traffic, since FROM ({SHARES}) s"
        " WHERE namespace_id = %s AND name = %s ORDER BY role <> 'stable'",
        [namespace_id, name],
    )


def set_share(
    connection: Connection, namespace_id: str, name: str, plugin_id: str, deployment_id: str, role: str, traffic: int
) -> None:
    """Put a canary or a shadow beside the stable version of a name, in place of the one that was there."""
    connection.execute(
        "INSERT INTO live_deployments (namespace_id, name, plugin_id, deployment_id, role, traffic)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (namespace_id, name) WHERE role <> 'stable' DO UPDATE SET"
        " plugin_id = EXCLUDED.plugin_id, deployment_id = EXCLUDED.deployment_id, role = EXCLUDED.role,"
        " traffic = EXCLUDED.traffic, since = now()",
        [namespace_id, name, plugin_id, deployment_id, role, traffic],
    )


def remark(connection: Connection, deployment_id: str, phase: str, detail: str) -> None:
    """Add to a deployment's timeline what happened to it without its state changing, and wake whoever watches."""
    connection.execute(
        "UPDATE deployments SET timeline = timeline || jsonb_build_array(jsonb_build_object('phase', %(phase)s::text,"
        " 'at', clock_timestamp(), 'detail', %(detail)s::text)) WHERE deployment_id = %(id)s",
        {"id": deployment_id, "phase": phase, "detail": detail},
    )
    notify(connection)


def set_warnings(connection: Connection, deployment_id: str, warnings: list[str]) -> None:
    connection.execute(
        "UPDATE deployments SET warnings = %s WHERE deployment_id = %s", [Jsonb(warnings), deployment_id]
    )


def list_live_plugin_ids(connection: Connection, namespace_id: str) -> set[str]:
    rows = dict_rows(connection, "SELECT plugin_id FROM live_deployments WHERE namespace_id = %s", [namespace_id])
    return {row["plugin_id"] for row in rows}


def list_wanted(connection: Connection) -> list[dict[str, Any]]:
    """Return the deployments every API process should have a host for: the live ones, and greens being started.

    `role` and `traffic`, in percent, say what a live one has to do with its name's requests; a green has neither.
    """
    return dict_rows(
        connection,
        # Two reads that need few rows: as one, with OR over a join, it reads every deployment there ever was.
        f"SELECT deployment_id, namespace_id, plugin_id, name, role, traffic FROM ({SHARES}) shares"
        " UNION ALL SELECT deployment_id, namespace_id, plugin_id, name, NULL, NULL FROM deployments"
        " WHERE status = 'IN_PROGRESS' AND phase IN ('start', 'switch')",
    )


def save_shadow_report(
    connection: Connection, deployment_id: str, process_id: str, compared_with: str, report: dict[str, Any]
) -> None:
    """Keep all that one process has counted of a shadow, unless the deployment is gone."""
    connection.execute(
        "INSERT INTO shadow_reports (deployment_id, process_id, compared_with, report)"
        " SELECT deployment_id, %(p)s, %(c)s, %(r)s FROM deployments WHERE deployment_id = %(d)s"
        " ON CONFLICT (deployment_id, process_id) DO UPDATE SET report = EXCLUDED.report, updated_at = now()",
        {"d": deployment_id, "p": process_id, "c": compared_with, "r": Jsonb(report)},
    )


def list_shadow_reports(connection: Connection, deployment_id: str) -> list[dict[str, Any]]:
    """Return what each process has counted of a shadow, the latest last."""
    return dict_rows(
        connection,
        "SELECT compared_with, report, updated_at FROM shadow_reports WHERE deployment_id = %s ORDER BY updated_at",
        [deployment_id],
    )


def report_replica(
    connection: Connection, deployment_id: str, process_id: str, code_hash: str | None, failure: dict[str, Any] | None
) -> None:
    """Record that a process has its host for a deployment ready and which code it runs, or why it has none.

    Args:
        failure: as `failure.failure_from` makes it.
    """
    connection.execute(
        "INSERT INTO replicas (deployment_id, process_id, state, code_hash, error, failure)"
        " VALUES (%(d)s, %(p)s, %(s)s, %(c)s, %(e)s, %(f)s)"
        " ON CONFLICT (deployment_id, process_id) DO UPDATE SET state = %(s)s, code_hash = %(c)s,"
        " error = %(e)s, failure = %(f)s, updated_at = now()",
        {
            "d": deployment_id,
            "p": process_id,
            "s": "FAILED" if failure else "READY",
            "c": code_hash,
            "e": failure["message"] if failure else None,
            "f": Jsonb(failure) if failure else None,
        },
    )


def list_replica_states(connection: Connection, deployment_id: str) -> list[dict[str, Any]]:
    """Return, per living API process, its replica's state and failure; state is None while it starts.

    A process lives while it beats and while the connection on which it listens for changes, named after it, is open:
    one that was killed is gone at once, one that hangs or that the network has cut off after some heartbeats.
    """
    return dict_rows(
        connection,
        "SELECT p.process_id, r.state, r.code_hash, r.failure FROM processes p"
        " LEFT JOIN replicas r ON r.process_id = p.process_id AND r.deployment_id = %s"
        f" WHERE p.role = 'api' AND p.heartbeat_at > now() - interval '{HEARTBEAT_LIMIT}'"
        " AND EXISTS (SELECT FROM pg_stat_activity a WHERE a.application_name = p.process_id)",
        [deployment_id],
    )
