"""How one API process follows the database: what it starts and stops by itself, and what it reports of that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString, cast

import psycopg
import pytest

from factories.rollout_walks import ApiProcess, Platform
from factories.waiting import until
from mixpeek.collections.queries import is_used
from mixpeek.db import processes
from mixpeek.db.pool import Connection, scalar
from mixpeek.deployments import queries, service
from mixpeek.registry.models import PluginVersion
from mixpeek.serving import replicas
from mixpeek.serving.replicas import STARTING_AT_ONCE, Replicas
from mixpeek.tenancy.models import Namespace


@pytest.fixture
def namespace(platform: Platform) -> Iterator[Namespace]:
    made = platform.make_namespace()
    yield made
    with platform.database.transaction() as connection:
        connection.execute("DELETE FROM namespaces WHERE namespace_id = %s", [made.namespace_id])


@pytest.fixture
def api(platform: Platform) -> Iterator[ApiProcess]:
    made = ApiProcess(platform.database, platform.registry, platform.execution)
    yield made
    made.kill()


def live(platform: Platform, namespace: Namespace, name: str) -> tuple[PluginVersion, str]:
    """Return a version that is live, as after a rollout that ended well, and its deployment."""
    version = platform.publish(namespace, name, "1.0.0")
    with platform.database.transaction() as connection:
        made = service.deploy(connection, namespace, version, batch_only=False, message=None, actor="test")
        connection.execute(
            "UPDATE deployments SET status = 'DEPLOYED', phase = 'live' WHERE deployment_id = %s",
            [made["deployment_id"]],
        )
        queries.set_live(connection, namespace.namespace_id, name, version.plugin_id, made["deployment_id"])
    return version, made["deployment_id"]


def states(platform: Platform, deployment_id: str) -> dict[str, Any]:
    with platform.database.transaction() as connection:
        return {row["process_id"]: row["state"] for row in queries.list_replica_states(connection, deployment_id)}


def test_after_a_restart_every_live_version_answers_though_few_hosts_start_at_once(
    platform: Platform, namespace: Namespace, api: ApiProcess
) -> None:
    names = [f"words_{place}" for place in range(3 * STARTING_AT_ONCE)]
    for name in names:
        live(platform, namespace, name)
    platform.execution.most_at_once, platform.execution.start_s = 0, 0.1

    api.turn()
    answering = [api.who_answers(namespace.namespace_id, name) for name in names]
    platform.execution.start_s = 0.0

    assert answering == [f"{name}_1_0_0" for name in names]
    assert 1 < platform.execution.most_at_once <= STARTING_AT_ONCE


@pytest.mark.parametrize(
    "manifest",
    [
        "'{}'",
        # An infinite number of replicas.
        """manifest || '{"serve_config": {"num_cpus": 1e-308, "max_replicas": 4}}'""",
    ],
)
def test_one_version_whose_manifest_cannot_be_read_keeps_no_other_from_answering(
    platform: Platform, namespace: Namespace, api: ApiProcess, manifest: LiteralString
) -> None:
    _, unreadable = live(platform, namespace, "aged")
    _, readable = live(platform, namespace, "words")
    with platform.database.transaction() as connection:
        connection.execute(
            f"UPDATE plugin_versions SET manifest = {manifest} WHERE namespace_id = %s AND name = 'aged'",
            [namespace.namespace_id],
        )

    api.turn()

    assert api.who_answers(namespace.namespace_id, "words") == "words_1_0_0"
    assert states(platform, readable) == {api.process_id: "READY"}
    assert states(platform, unreadable) == {api.process_id: "FAILED"}


def test_a_killed_process_counts_no_more_and_what_it_had_running_goes_with_it(
    platform: Platform, namespace: Namespace, api: ApiProcess
) -> None:
    _, deployment_id = live(platform, namespace, "words")
    other = ApiProcess(platform.database, platform.registry, platform.execution)
    api.turn()
    other.turn()
    assert states(platform, deployment_id) == {api.process_id: "READY", other.process_id: "READY"}

    other.kill()
    # The database ends its session a moment after the connection.
    until(lambda: states(platform, deployment_id) == {api.process_id: "READY"}, what="the other counts no more")

    with platform.database.transaction() as connection:
        processes.retire(connection, other.process_id)
        kept = scalar(
            connection, "SELECT array_agg(process_id) FROM replicas WHERE deployment_id = %s", [deployment_id]
        )
    assert kept == [api.process_id]


class LosesReports:
    """The database, lost in the midst of the first transaction that reports of a replica."""

    def __init__(self, platform: Platform) -> None:
        self._database = platform.database
        self.url = platform.database.url
        self.lost = 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self._database.transaction() as connection:
            yield connection
            if not self.lost and scalar(
                connection, "SELECT count(*) FROM replicas WHERE xmin = pg_current_xact_id()::xid"
            ):
                self.lost += 1
                connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_report_that_the_database_lost_is_made_again(
    platform: Platform, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "RECONCILE_S", 0.05)
    _, deployment_id = live(platform, namespace, "words")
    losing = LosesReports(platform)
    api = ApiProcess(cast("Any", losing), platform.registry, platform.execution)

    api.turn()
    found = states(platform, deployment_id)
    api.kill()

    assert (losing.lost, found) == (1, {api.process_id: "READY"})


def test_a_version_that_is_not_live_is_started_when_asked_stopped_when_idle_and_started_again(
    platform: Platform, namespace: Namespace
) -> None:
    version = platform.publish(namespace, "words", "1.0.0")

    async def ask_and_wait() -> list[dict[str, int]]:
        process = Replicas(
            platform.database, platform.registry, cast("Any", platform.execution), "api-idle", 0.05, is_used=is_used
        )
        following = asyncio.create_task(process.run_forever())
        seen = []
        for _ in range(2):
            answer = await process.ask(version, {}, {})
            assert answer.served.plugin_id == version.plugin_id
            seen.append(process.describe())
            async with asyncio.timeout(10):
                while process.describe()["on_demand"]:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.02)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        return seen

    assert [each["on_demand"] for each in asyncio.run(ask_and_wait())] == [1, 1]
    with platform.database.transaction() as connection:
        processes.retire(connection, "api-idle")


def test_a_process_that_only_beats_is_not_waited_for(platform: Platform, namespace: Namespace) -> None:
    _, deployment_id = live(platform, namespace, "words")
    with platform.database.transaction() as connection:
        processes.beat(connection, "api-deaf", "api")

    before = states(platform, deployment_id)
    with psycopg.connect(platform.database.url, application_name="api-deaf"):
        listening = states(platform, deployment_id)
    with platform.database.transaction() as connection:
        processes.retire(connection, "api-deaf")

    assert (before, listening) == ({}, {"api-deaf": None})
