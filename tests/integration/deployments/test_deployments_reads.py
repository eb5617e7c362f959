"""What is read again and again reads what is open, however much has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from factories.rollout_walks import Platform
from mixpeek.db.pool import Connection, scalar
from mixpeek.deployments import queries
from mixpeek.metrics import queries as metrics
from mixpeek.registry.models import PluginVersion
from mixpeek.workflows import tasks

ENDED = 4000


def read_rows(connection: Connection, table: str) -> int:
    """Return how many rows of a table this transaction has read so far."""
    found = scalar(
        connection,
        "SELECT seq_tup_read + COALESCE(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = %s",
        [table],
    )
    return int(found or 0)


@pytest.fixture(scope="module")
def version(platform: Platform) -> Iterator[PluginVersion]:
    namespace = platform.make_namespace()
    yield platform.publish(namespace, "words", "1.0.0")
    with platform.database.transaction() as connection:
        connection.execute("DELETE FROM namespaces WHERE namespace_id = %s", [namespace.namespace_id])


def fill(connection: Connection, version: PluginVersion) -> None:
    """Have many deployments and tasks that ended long ago, and one of each that is under way."""
    of = {"ns": version.namespace_id, "plugin": version.plugin_id, "n": ENDED}
    connection.execute(
        "INSERT INTO deployments (deployment_id, namespace_id, plugin_id, name, deployment_type, action, status, phase,"
        " timeline) SELECT 'dep_ended_' || i, %(ns)s, %(plugin)s, 'words', 'realtime', 'deploy',"
        " CASE WHEN i = 0 THEN 'IN_PROGRESS' ELSE 'NOT_DEPLOYED' END, CASE WHEN i = 0 THEN 'start' ELSE 'ended' END,"
        " to_jsonb(repeat('x', 500)) FROM generate_series(0, %(n)s) i",
        of,
    )
    connection.execute(
        "INSERT INTO tasks (task_id, namespace_id, organization_id, task_type, workflow, status, updated_at, error,"
        " dispatched_at) SELECT 'task_ended_' || i, %(ns)s, 'org', 'batch', 'run_batch', CASE WHEN i = 0 THEN 'PENDING'"
        " ELSE 'COMPLETED' END, now() - i * interval '1 hour', repeat('x', 500), now()"
        " FROM generate_series(0, %(n)s) i",
        of,
    )
    connection.execute("ANALYZE deployments, tasks")


@pytest.mark.parametrize(
    ("table", "read"),
    [
        ("deployments", lambda connection, _: queries.list_wanted(connection)),
        ("deployments", lambda connection, _: metrics.count_rollouts_under_way(connection)),
        ("deployments", lambda connection, version: queries.find_under_way(connection, version.namespace_id, "words")),
        ("tasks", lambda connection, _: metrics.count_open_tasks(connection)),
        ("tasks", lambda connection, _: metrics.list_changed_tasks(connection, metrics.now(connection))),
    ],
    ids=["wanted", "under way", "of one name", "open tasks", "changed tasks"],
)
def test_what_has_ended_is_not_read(
    platform: Platform, version: PluginVersion, table: str, read: Callable[[Connection, PluginVersion], Any]
) -> None:
    with platform.database.transaction() as connection, connection.transaction(force_rollback=True):
        fill(connection, version)
        before = read_rows(connection, table)
        read(connection, version)

        assert read_rows(connection, table) - before < ENDED / 10


def test_the_open_tasks_are_those_in_no_terminal_state() -> None:
    listed = tasks.IS_OPEN.partition("(")[2].rstrip(")").replace("'", "").split(", ")

    assert set(listed) == tasks.TERMINAL
