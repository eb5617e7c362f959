"""The metrics of a real database: what is told, what is told once, and what remains when it is away; who may read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from psycopg.types.json import Jsonb

from mixpeek.api.app import create_app
from mixpeek.config import Settings
from mixpeek.db.pool import Connection, Database, new_id
from mixpeek.metrics.exposition import Exposition
from mixpeek.metrics.platform import PlatformReader
from mixpeek.serving.tally import Requests
from mixpeek.tenancy import queries as tenancy
from mixpeek.tenancy.keys import hash_key
from mixpeek.tenancy.service import Keyring, bootstrap
from mixpeek.workflows import tasks

KEY = "sk_metrics_admin"


@pytest.fixture(scope="module")
def organization_id(database: Database) -> str:
    with database.transaction() as connection:
        bootstrap(connection, KEY)
        principal = tenancy.find_principal(connection, hash_key(KEY))
    assert principal is not None
    return principal.organization_id


@pytest.fixture
def namespace_id(database: Database, organization_id: str) -> Iterator[str]:
    made = new_id("ns")
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO namespaces (namespace_id, organization_id, namespace_name) VALUES (%s, %s, %s)",
            [made, organization_id, f"name of {made}"],
        )
    yield made
    with database.transaction() as connection:
        connection.execute("DELETE FROM namespaces WHERE namespace_id = %s", [made])


def values(reader: PlatformReader, name: str, namespaces: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    return dict(reader.samples(namespaces)[name])


def submit(connection: Connection, organization_id: str, namespace_id: str) -> str:
    return tasks.submit(
        connection,
        workflow="run_batch",
        task_type="batch",
        organization_id=organization_id,
        namespace_id=namespace_id,
        inputs={},
    )


def test_a_batch_is_told_from_the_outbox_to_its_last_row(
    database: Database, organization_id: str, namespace_id: str
) -> None:
    reader = PlatformReader(database)
    before = values(reader, "outbox_tasks")[()]
    open_before = values(reader, "tasks_open").get(("run_batch", "PENDING"), 0)
    with database.transaction() as connection:
        task_id = submit(connection, organization_id, namespace_id)

    waiting = reader.samples((namespace_id,))
    with database.transaction() as connection:
        tasks.mark_dispatched(connection, task_id, "worker")
        progress = {"progress": {"written": 5, "skipped": 0, "failed": 2, "chunks_committed": 1}}
        tasks.update_task(connection, task_id, "IN_PROGRESS", progress=progress)
    running = reader.samples(())
    with database.transaction() as connection:
        progress["progress"]["written"] = 9
        tasks.update_task(connection, task_id, "COMPLETED", progress=progress)
    ended = [reader.samples(()) for _ in range(2)][-1]

    assert dict(waiting["outbox_tasks"])[()] == before + 1
    assert dict(waiting["outbox_oldest_age_seconds"])[()] > 0
    assert dict(waiting["namespace_info"]) == {(namespace_id, f"name of {namespace_id}"): 1}
    assert dict(waiting["tasks_open"])["run_batch", "PENDING"] == open_before + 1
    assert dict(running["outbox_tasks"])[()] == before
    assert dict(running["tasks_open"])["run_batch", "IN_PROGRESS"] == 1
    assert dict(running["batch_rows_total"]) == {("written",): 5, ("skipped",): 0, ("failed",): 2}
    assert dict(ended["tasks_open"])["run_batch", "IN_PROGRESS"] == 0
    assert dict(ended["batch_rows_total"]) == {("written",): 9, ("skipped",): 0, ("failed",): 2}
    assert dict(ended["tasks_total"]) == {("run_batch", "COMPLETED"): 1}


def record(connection: Connection, namespace_id: str, outcome: str) -> None:
    deployment_id, plugin_id = new_id("dep"), new_id("words")
    connection.execute(
        "INSERT INTO plugin_versions (namespace_id, plugin_id, name, version, version_key, code_hash, package,"
        " archive_sha256, archive_key, size_bytes, files, manifest)"
        " VALUES (%s, %s, %s, '1.0.0', '{1,0,0}', '', '', '', '', 0, '[]', '{}')",
        [namespace_id, plugin_id, plugin_id],
    )
    connection.execute(
        "INSERT INTO deployments (deployment_id, namespace_id, plugin_id, name, deployment_type, action, status, phase,"
        " queued_at, timeline) VALUES (%s, %s, %s, %s, 'realtime', 'rollback', 'DEPLOYED', 'live', now(),"
        " jsonb_build_array(jsonb_build_object('phase', 'gate', 'at', now() + interval '2 seconds'),"
        " jsonb_build_object('phase', 'live', 'at', now() + interval '5 seconds')))",
        [deployment_id, namespace_id, plugin_id, plugin_id],
    )
    connection.execute(
        "INSERT INTO plugin_ledger (namespace_id, name, plugin_id, action, outcome, details)"
        " VALUES (%s, %s, %s, 'rollback', %s, %s)",
        [namespace_id, plugin_id, plugin_id, outcome, Jsonb({"deployment_id": deployment_id})],
    )


def test_rollouts_are_counted_from_the_ledger_once_and_from_the_start_of_the_process(
    database: Database, namespace_id: str
) -> None:
    with database.transaction() as connection:
        record(connection, namespace_id, "deployed")
    reader = PlatformReader(database)

    before = values(reader, "deployments_total")
    with database.transaction() as connection:
        record(connection, namespace_id, "deployed")
    after = [values(reader, "deployments_total") for _ in range(2)][-1]
    phases = values(reader, "deployment_phase_duration_seconds")

    assert not any(before.values())
    assert {labels: count for labels, count in after.items() if count} == {("rollback", "realtime", "deployed"): 1}
    assert {phase: histogram.total for (phase,), histogram in phases.items()} == {
        "queued": pytest.approx(2),
        "gate": pytest.approx(3),
    }


def test_a_database_that_is_away_is_told_and_the_rest_still_is() -> None:
    away = Database("postgresql://127.0.0.1:1/nothing")  # its pool was never opened
    reader = PlatformReader(away)

    body, _ = Exposition(reader, Requests()).render([], "")

    assert b"\nmixpeek_database_up 0.0\n" in body
    assert b"\nmixpeek_outbox_tasks " not in body
    assert b"\nmixpeek_build_info{" in body


@pytest.mark.parametrize(
    ("mode", "key", "status"),
    [("key", KEY, 200), ("key", "sk_other", 401), ("key", None, 401), ("open", None, 200), ("off", KEY, 404)],
)
def test_the_operator_decides_who_may_read(
    database: Database, organization_id: str, mode: Any, key: str | None, status: int
) -> None:
    app = create_app(1000, None)  # type: ignore[arg-type]
    app.state.platform = SimpleNamespace(
        settings=Settings(metrics=mode),
        keyring=Keyring(database),
        replicas=SimpleNamespace(sets=list),
        metrics=Exposition(PlatformReader(database), app.state.unrouted),
    )

    async def scrape() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            return await http.get("/metrics", headers={"Authorization": f"Bearer {key}"} if key else {})

    answer = asyncio.run(scrape())

    assert answer.status_code == status, answer.text
    assert ("mixpeek_database_up 1.0" in answer.text) == (status == 200)
