"""Canaries and shadows on a real database: every order of operations ends in a legal sharing of requests.

Rollouts run as they are, but for the steps that start hosts.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
from psycopg.types.json import Jsonb

from mixpeek.contract.manifest import Manifest
from mixpeek.db.pool import Connection, Database, dict_rows, scalar
from mixpeek.deployments import overview, queries, rollout, service, sharing
from mixpeek.deployments.comparison import Difference
from mixpeek.deployments.models import Phase, Role, Status
from mixpeek.deployments.rollout import Rollout
from mixpeek.deployments.traffic import EVERYTHING, Split
from mixpeek.errors import Conflict, PluginError
from mixpeek.execution.blocking import BlockingExecution
from mixpeek.metrics import queries as metrics
from mixpeek.registry import queries as registry_queries
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry
from mixpeek.serving.replica_set import ReplicaSet
from mixpeek.serving.shadowing import Shadowing
from mixpeek.tenancy.models import Namespace
from mixpeek.tenancy.queries import find_namespace
from mixpeek.tenancy.service import bootstrap

NUMBERS = ("1.0.0", "1.1.0", "1.2.0")
CANARY, SHADOW = Split(Role.CANARY, 10), Split(Role.SHADOW, 0)
namespaces = itertools.count(1)


class WithoutHosts:
    """Carries out the steps of a rollout; those that start a host only enter their phase."""

    entered: ClassVar = {
        "build": (Status.PENDING, Phase.BUILDING),
        "gate": (Status.IN_PROGRESS, Phase.GATE),
        "start": (Status.IN_PROGRESS, Phase.START),
    }

    def __init__(self, database: Database, deployment_id: str) -> None:
        self.database: Database | Interrupted = database
        self._deployment_id = deployment_id

    def step(self, name: str, act: Callable[[], Any]) -> Any:
        if name not in self.entered:
            return act()
        with self.database.transaction() as connection:
            queries.enter_phase(connection, self._deployment_id, *self.entered[name])
        return []

    def repeatable(self, name: str, act: Callable[[], Any]) -> Any:
        return act()


class FailingGate(WithoutHosts):
    """Ends a rollout in its gate."""

    def step(self, name: str, act: Callable[[], Any]) -> Any:
        done = super().step(name, act)
        if name == "gate":
            raise PluginError("it raised")
        return done


class RealStart(WithoutHosts):
    """Waits for green hosts as it is."""

    entered: ClassVar = {name: state for name, state in WithoutHosts.entered.items() if name != "start"}


class OnlySwitch(WithoutHosts):
    """Goes on where only the switch is not recorded yet."""

    def step(self, name: str, act: Callable[[], Any]) -> Any:
        return act() if name == "switch" else []


class InterruptedSwitch(WithoutHosts):
    """Lets something happen between the two transactions of a switch."""

    def __init__(self, database: Database, deployment_id: str, meanwhile: Callable[[], None]) -> None:
        super().__init__(database, deployment_id)
        self.database = Interrupted(database)
        self._meanwhile = meanwhile

    def step(self, name: str, act: Callable[[], Any]) -> Any:
        if name == "switch":
            self.database.before = [lambda: None, self._meanwhile]
        return super().step(name, act)


class Interrupted:
    """A database before whose transactions something else happens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.before: list[Callable[[], None]] = []

    def transaction(self) -> AbstractContextManager[Connection]:
        if self.before:
            self.before.pop(0)()
        return self._database.transaction()


class Versions:
    """As much of the registry as a rollout reads after its gate."""

    def get(self, connection: Connection, namespace_id: str, plugin_id: str) -> PluginVersion:
        found = registry_queries.find_version(connection, namespace_id, plugin_id)
        assert found is not None
        return found


@dataclass
class Plugin:
    """A plugin of three published versions, and what can be done with it."""

    database: Database
    namespace: Namespace

    @property
    def namespace_id(self) -> str:
        return self.namespace.namespace_id

    def version(self, connection: Connection, number: str) -> PluginVersion:
        return Versions().get(connection, self.namespace_id, plugin_id(number))

    def declare(self, number: str, features: list[dict[str, Any]]) -> None:
        """Have a version declare features."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE plugin_versions SET manifest = manifest || %s WHERE namespace_id = %s AND plugin_id = %s",
                [Jsonb({"features": features}), self.namespace_id, plugin_id(number)],
            )

    def queue(self, number: str, split: Split = EVERYTHING, *, batch_only: bool = False) -> dict[str, Any]:
        """Ask for a deployment."""
        with self.database.transaction() as connection:
            version = self.version(connection, number)
            return service.deploy(
                connection, self.namespace, version, batch_only=batch_only, message=None, actor="ci", split=split
            )

    def carry_out(self, deployment_id: str, steps: WithoutHosts | None = None) -> str:
        """Roll a deployment out; return the status it ends in."""
        steps = steps or WithoutHosts(self.database, deployment_id)
        carried = Rollout(
            cast("Database", steps.database), cast("Registry", Versions()), cast("BlockingExecution", None)
        )
        with self.database.transaction() as connection:
            deployment = queries.find_deployment(connection, deployment_id)
        assert deployment is not None
        carried.run(steps, deployment.task_id or "", {"deployment_id": deployment_id})
        with self.database.transaction() as connection:
            ended = queries.find_deployment(connection, deployment_id)
        assert ended is not None
        return ended.status

    def deploy(self, number: str, split: Split = EVERYTHING, *, batch_only: bool = False) -> str:
        answer = self.queue(number, split, batch_only=batch_only)
        return str(answer["status"]) if answer["status"] != "queued" else self.carry_out(answer["deployment_id"])

    def fail(self, number: str, split: Split = EVERYTHING) -> str:
        """Deploy a version that does not pass its gate."""
        deployment_id = self.queue(number, split)["deployment_id"]
        return self.carry_out(deployment_id, FailingGate(self.database, deployment_id))

    def roll_back(self, number: str) -> str:
        with self.database.transaction() as connection:
            version = self.version(connection, number)
            deployment = service.roll_back(connection, self.namespace, version, message=None, actor="ci")
        return self.carry_out(deployment.deployment_id)

    def promote(self, number: str) -> list[str]:
        with self.database.transaction() as connection:
            return sharing.promote(connection, self.version(connection, number), message=None, actor="ci")

    def undeploy(self, number: str) -> dict[str, Any]:
        with self.database.transaction() as connection:
            return service.undeploy(connection, self.version(connection, number), actor="ci")

    def status(self, number: str) -> dict[str, Any]:
        with self.database.transaction() as connection:
            return service.status(connection, self.version(connection, number))

    def shares(self) -> list[tuple[str, str, int]]:
        with self.database.transaction() as connection:
            found = queries.list_shares(connection, self.namespace_id, "words")
        return [(share.plugin_id, share.role, share.traffic) for share in found]

    def active(self) -> str | None:
        with self.database.transaction() as connection:
            found = registry_queries.find_version_by_name(connection, self.namespace_id, "words", None)
        return found.plugin_id if found else None

    def describe_traffic(self, number: str) -> dict[str, Any]:
        with self.database.transaction() as connection:
            return overview.describe_traffic(connection, self.version(connection, number))

    def ledger(self) -> list[tuple[str, str, str]]:
        with self.database.transaction() as connection:
            rows = registry_queries.list_deployments(connection, self.namespace_id, "words")
        return [(row["plugin_id"], row["action"], row["status"]) for row in reversed(rows)]

    def audit(self) -> list[tuple[str, str]]:
        """Return what was recorded of versions going live and ending."""
        with self.database.transaction() as connection:
            rows = dict_rows(
                connection,
                "SELECT resource_id, action FROM audit_events WHERE namespace_id = %s AND resource_type = 'plugin'"
                " AND action IN ('go_live', 'undeploy') ORDER BY entry",
                [self.namespace_id],
            )
        return [(row["resource_id"], row["action"]) for row in rows]

    def everything(self) -> dict[str, Any]:
        """Return every row of this plugin's that deploying may change."""
        with self.database.transaction() as connection:
            return {
                table: dict_rows(
                    connection, f"SELECT * FROM {table} WHERE namespace_id = %s ORDER BY 1, 2", [self.namespace_id]
                )
                for table in ("live_deployments", "deployments", "active_versions", "plugin_ledger", "tasks")
            }


def plugin_id(number: str) -> str:
    return f"words_{number.replace('.', '_')}"


def number_of(plugin_id: str) -> str:
    return plugin_id.removeprefix("words_").replace("_", ".")


ONE, TWO, THREE = map(plugin_id, NUMBERS)


@pytest.fixture
def plugin(database: Database) -> Iterator[Plugin]:
    namespace_id = f"ns_sharing_{next(namespaces)}"
    manifest = Manifest.model_validate({"feature_extractor_name": "words", "version": "1.0.0"}).model_dump(mode="json")
    with database.transaction() as connection:
        organization_id = bootstrap(connection, "sk_test_sharing")
        connection.execute(
            "INSERT INTO namespaces (namespace_id, organization_id, namespace_name) VALUES (%s, %s, %s)",
            [namespace_id, organization_id, namespace_id],
        )
        for number in NUMBERS:
            version = {
                "namespace_id": namespace_id,
                "plugin_id": plugin_id(number),
                "name": "words",
                "version": number,
                "version_key": [int(part) for part in number.split(".")],
                "code_hash": number,
                "package": "words",
                "archive_sha256": "0" * 64,
                "archive_key": "archives/0",
                "size_bytes": 1,
                "files": [],
                "manifest": manifest,
            }
            assert registry_queries.insert_version(connection, version)
        namespace = find_namespace(connection, organization_id, namespace_id)
    assert namespace is not None
    yield Plugin(database, namespace)
    with database.transaction() as connection:
        # With its tasks: no worker takes them, and others' would wait behind them in the outbox.
        connection.execute("DELETE FROM namespaces WHERE namespace_id = %s", [namespace_id])


def test_a_canary_takes_its_share_and_undeploying_it_gives_everything_back(plugin: Plugin) -> None:
    plugin.deploy("1.0.0")

    ended = plugin.deploy("1.1.0", CANARY)
    sharing_now, active = plugin.shares(), plugin.active()
    plugin.undeploy("1.1.0")

    assert ended == "DEPLOYED"
    assert sharing_now == [(ONE, "stable", 90), (TWO, "canary", 10)]
    assert active == ONE
    assert plugin.shares() == [(ONE, "stable", 100)]
    assert plugin.ledger()[-2:] == [(TWO, "deploy", "canary"), (TWO, "undeploy", "undeployed")]


def test_a_share_changes_at_once_and_a_shadow_becomes_a_canary_without_new_hosts(plugin: Plugin) -> None:
    plugin.deploy("1.0.0")
    first = plugin.queue("1.1.0", SHADOW)
    plugin.carry_out(first["deployment_id"])

    changed = plugin.queue("1.1.0", CANARY)
    again = plugin.queue("1.1.0", CANARY)

    assert (changed["status"], changed["deployment_id"]) == ("changed", first["deployment_id"])
    assert plugin.shares() == [(ONE, "stable", 90), (TWO, "canary", 10)]
    assert again["status"] == "queued", "the same share again is a redeploy"
    assert plugin.carry_out(again["deployment_id"]) == "DEPLOYED"
    assert plugin.shares() == [(ONE, "stable", 90), (TWO, "canary", 10)]
    with plugin.database.transaction() as connection:
        before = queries.find_deployment(connection, first["deployment_id"])
    assert before is not None
    assert before.status == Status.NOT_DEPLOYED


@pytest.mark.parametrize("split", [CANARY, SHADOW])
def test_promoting_ends_the_stable_version_and_a_rollback_leads_back_to_it(plugin: Plugin, split: Split) -> None:
    plugin.deploy("1.0.0")
    plugin.deploy("1.1.0", split)

    relieved = plugin.promote("1.1.0")
    with plugin.database.transaction() as connection:
        previous = registry_queries.find_previous(connection, plugin.namespace_id, "words")

    assert (relieved, previous) == ([ONE], ONE)
    assert (plugin.shares(), plugin.active()) == ([(TWO, "stable", 100)], TWO)
    assert plugin.ledger()[-1] == (TWO, "promote", "deployed")
    assert plugin.audit()[-2:] == [(ONE, "undeploy"), (TWO, "go_live")]


def test_a_rollback_by_default_never_leads_to_a_canary(plugin: Plugin) -> None:
    plugin.deploy("1.0.0")
    plugin.deploy("1.2.0")
    plugin.deploy("1.1.0", CANARY)
    plugin.undeploy("1.1.0")

    with plugin.database.transaction() as connection:
        assert registry_queries.find_previous(connection, plugin.namespace_id, "words") == ONE


def test_a_canary_with_other_features_is_warned_of(plugin: Plugin) -> None:
    vector = {"feature_type": "embedding", "feature_name": "vector", "embedding_dim": 8}
    plugin.declare("1.0.0", [vector, {**vector, "feature_name": "title"}])
    plugin.declare("1.1.0", [{**vector, "embedding_dim": 16}])
    plugin.deploy("1.0.0")

    plugin.deploy("1.1.0", CANARY)

    with plugin.database.transaction() as connection:
        warnings = service.status(connection, plugin.version(connection, "1.1.0"))["warnings"]
    assert len(warnings) == 2
    assert "'vector' has 16 numbers in words_1_1_0 and 8 in words_1_0_0" in warnings[0]
    assert "no feature 'title'" in warnings[1]


def test_a_role_that_changes_brings_the_warnings_of_the_new_one(plugin: Plugin) -> None:
    vector = {"feature_type": "embedding", "feature_name": "vector", "embedding_dim": 8}
    plugin.declare("1.0.0", [vector])
    plugin.declare("1.1.0", [{**vector, "embedding_dim": 16}])
    plugin.deploy("1.0.0")

    warnings = []
    for split in (SHADOW, CANARY, Split(Role.CANARY, 50), SHADOW):
        plugin.deploy("1.1.0", split)
        warnings.append(plugin.status("1.1.0")["warnings"])
    plugin.promote("1.1.0")
    warnings.append(plugin.status("1.1.0")["warnings"])

    differs = "Feature 'vector' has 16 numbers in words_1_1_0 and 8 in words_1_0_0: whoever follows the name gets"
    mixed = [f"{differs} vectors of both lengths"]
    assert warnings == [[], mixed, mixed, [], [f"{differs} vectors of another length than before"]]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_plain_deploy_takes_all_requests_whoever_shared_them(plugin: Plugin, number: str) -> None:
    plugin.deploy("1.0.0")
    plugin.deploy("1.1.0", CANARY)

    assert plugin.deploy(number) == "DEPLOYED"

    assert (plugin.shares(), plugin.active()) == ([(plugin_id(number), "stable", 100)], plugin_id(number))


@pytest.mark.parametrize("number", ["1.1.0", "1.2.0"])
def test_a_rollback_takes_all_requests_whoever_shared_them(plugin: Plugin, number: str) -> None:
    plugin.deploy("1.0.0")
    plugin.deploy("1.1.0", CANARY)

    assert plugin.roll_back(number) == "DEPLOYED"

    assert plugin.shares() == [(plugin_id(number), "stable", 100)]


def test_what_cannot_share_is_refused_with_what_to_do_and_changes_nothing(plugin: Plugin) -> None:
    with pytest.raises(Conflict, match="Nothing of words is live"):
        plugin.queue("1.1.0", CANARY)
    plugin.deploy("1.0.0")
    plugin.deploy("1.1.0", CANARY)
    before = plugin.everything()

    for split in (CANARY, SHADOW):
        with pytest.raises(Conflict, match="no room for a third") as third:
            plugin.queue("1.2.0", split)
        assert "promote words_1_1_0" in (third.value.hint or "")
        with pytest.raises(Conflict, match="cannot stand beside itself"):
            plugin.queue("1.0.0", split)
    with pytest.raises(Conflict, match="its canary") as stable:
        plugin.undeploy("1.0.0")
    with pytest.raises(Conflict, match="neither a canary nor a shadow"):
        plugin.promote("1.2.0")
    with pytest.raises(Conflict, match="stable version of words already"):
        plugin.promote("1.0.0")
    with pytest.raises(Conflict, match="active version already") as active:
        plugin.roll_back("1.0.0")

    assert "undeploy words_1_1_0" in (stable.value.hint or "")
    assert "undeploy words_1_1_0" in (active.value.hint or "")
    assert plugin.everything() == before


def test_while_a_canary_is_rolled_out_there_is_no_room_for_another_nor_for_a_promotion(plugin: Plugin) -> None:
    plugin.deploy("1.0.0")
    queued = plugin.queue("1.1.0", CANARY)

    assert plugin.queue("1.1.0", CANARY)["deployment_id"] == queued["deployment_id"]
    with pytest.raises(Conflict, match="is being deployed with 10 % of the requests"):
        plugin.queue("1.1.0", SHADOW)
    with pytest.raises(Conflict, match="to share the requests of words") as second:
        plugin.queue("1.2.0", CANARY)
    with pytest.raises(Conflict, match="is being deployed"):
        plugin.promote("1.1.0")

    assert "Wait until that ends" in (second.value.hint or "")


def test_a_canary_whose_stable_version_is_gone_when_it_is_ready_fails_and_says_why(plugin: Plugin) -> None:
    plugin.deploy("1.0.0")
    queued = plugin.queue("1.1.0", CANARY)
    plugin.undeploy("1.0.0")

    assert plugin.carry_out(queued["deployment_id"]) == "FAILED"

    assert plugin.shares() == []
    with plugin.database.transaction() as connection:
        state = service.status(connection, plugin.version(connection, "1.1.0"))
    assert "Nothing of words is live" in state["error"]


def test_a_canary_ends_where_everything_was_given_to_another_after_it_was_asked_for(plugin: Plugin) -> None:
    plugin.deploy("1.0.0")
    queued = plugin.queue("1.1.0", CANARY)
    plugin.deploy("1.2.0")

    assert plugin.carry_out(queued["deployment_id"]) == "FAILED"

    assert plugin.shares() == [(THREE, "stable", 100)]
    assert "words_1_2_0 was deployed after this and answers already" in plugin.status("1.1.0")["error"]


def test_no_canary_and_no_other_share_is_asked_for_while_a_version_comes_that_takes_everything(plugin: Plugin) -> None:
    plugin.deploy("1.0.0")
    plugin.deploy("1.1.0", CANARY)
    queued = plugin.queue("1.2.0")

    for split in (CANARY, Split(Role.CANARY, 50)):
        with pytest.raises(Conflict, match="words_1_2_0 is being deployed for all requests"):
            plugin.queue("1.1.0", split)

    assert plugin.carry_out(queued["deployment_id"]) == "DEPLOYED"
    assert plugin.deploy("1.1.0", CANARY) == "DEPLOYED"


def test_a_return_for_batches_only_ends_where_a_later_deployment_is_live(plugin: Plugin) -> None:
    plugin.deploy("1.1.0", batch_only=True)
    with plugin.database.transaction() as connection:
        back = service.roll_back(
            connection, plugin.namespace, plugin.version(connection, "1.0.0"), message=None, actor="ci"
        )
    plugin.deploy("1.2.0")

    assert plugin.carry_out(back.deployment_id) == "FAILED"

    assert (plugin.shares(), plugin.active()) == ([(THREE, "stable", 100)], THREE)
    assert "words_1_2_0 was deployed after this" in plugin.status("1.0.0")["error"]


def test_a_version_asked_for_batches_keeps_them_when_an_earlier_rollout_goes_live(plugin: Plugin) -> None:
    queued = plugin.queue("1.0.0")
    plugin.deploy("1.1.0", batch_only=True)

    assert plugin.carry_out(queued["deployment_id"]) == "DEPLOYED"

    assert (plugin.shares(), plugin.active()) == ([(ONE, "stable", 100)], TWO)


def test_of_two_workers_in_the_same_switch_the_late_one_changes_nothing(plugin: Plugin) -> None:
    plugin.deploy("1.0.0")
    deployment_id = plugin.queue("1.1.0", CANARY)["deployment_id"]

    def meanwhile() -> None:
        plugin.carry_out(deployment_id, OnlySwitch(plugin.database, deployment_id))
        plugin.queue("1.1.0", Split(Role.CANARY, 50))

    plugin.carry_out(deployment_id, InterruptedSwitch(plugin.database, deployment_id, meanwhile))

    assert plugin.shares() == [(ONE, "stable", 50), (TWO, "canary", 50)]
    assert plugin.ledger().count((TWO, "deploy", "canary")) == 2, "its switch, and its other share"


def test_what_a_failed_rollout_says_of_what_answers_is_true(plugin: Plugin) -> None:
    messages = []
    plugin.fail("1.0.0")
    messages.append(plugin.status("1.0.0")["message"])
    plugin.deploy("1.0.0")
    plugin.fail("1.1.0")
    messages.append(plugin.status("1.1.0")["message"])
    plugin.fail("1.0.0")
    messages.append(plugin.status("1.0.0")["message"])
    plugin.undeploy("1.0.0")
    messages.append(plugin.status("1.0.0")["message"])

    assert messages == [
        "The rollout failed in phase gate; nothing of words is live",
        "The rollout failed in phase gate; words_1_0_0 still answers",
        "The rollout failed in phase gate; its earlier deployment still answers",
        "The rollout failed in phase gate; nothing of words is live",
    ]


def test_a_deployment_for_batches_only_leaves_the_status_of_what_answers(plugin: Plugin) -> None:
    plugin.deploy("1.0.0")
    plugin.deploy("1.0.0", batch_only=True)
    live = plugin.status("1.0.0")
    plugin.undeploy("1.0.0")
    ended = plugin.status("1.0.0")

    assert (live["status"], live["deployed"], live["message"]) == ("DEPLOYED", True, "Ready for realtime inference")
    assert (ended["status"], ended["deployed"]) == ("NOT_DEPLOYED", False)
    assert "for batches only" in ended["message"]


@pytest.mark.parametrize("promoted", [False, True])
def test_a_failed_redeploy_is_told_until_the_share_is_another(plugin: Plugin, promoted: bool) -> None:
    plugin.deploy("1.0.0")
    plugin.deploy("1.1.0", CANARY)
    plugin.fail("1.1.0", CANARY)
    failed = plugin.status("1.1.0")
    if promoted:
        plugin.promote("1.1.0")
    else:
        plugin.deploy("1.1.0", Split(Role.CANARY, 50))
    after = plugin.status("1.1.0")

    assert (failed["status"], failed["deployed"], failed["failure"]["phase"]) == ("FAILED", True, "gate")
    assert (after["status"], after["deployed"], after["failure"], after["error"]) == ("DEPLOYED", True, None, None)


def test_when_the_active_version_is_deleted_the_one_that_answers_becomes_active(plugin: Plugin) -> None:
    plugin.deploy("1.0.0")
    plugin.deploy("1.1.0", batch_only=True)
    with plugin.database.transaction() as connection:
        registry_queries.delete_version(connection, plugin.namespace_id, "words", TWO)

    assert plugin.active() == ONE, "and not 1.2.0, which was never deployed"


def test_a_plugin_counts_once_among_the_live_ones_whatever_is_beside_it(plugin: Plugin) -> None:
    def count() -> int:
        with plugin.database.transaction() as connection:
            return metrics.count_live(connection)

    before = count()
    plugin.deploy("1.0.0")
    alone = count()
    plugin.deploy("1.1.0", CANARY)

    assert (alone, count()) == (before + 1, before + 1)


def test_hosts_that_start_for_long_are_asked_about_less_often(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = 0.0, list[float]()

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds if now < 3 else 10_000

    monkeypatch.setattr(rollout, "time", SimpleNamespace(monotonic=lambda: now, sleep=sleep))
    deployment_id = plugin.queue("1.0.0")["deployment_id"]

    ended = plugin.carry_out(deployment_id, RealStart(plugin.database, deployment_id))

    assert ended == "FAILED"
    assert set(slept[:20]) == {0.05}
    assert set(slept[21:]) == {0.25}
    assert len(slept) < 32


def test_what_several_processes_counted_of_a_shadow_adds_up_and_outlives_them(plugin: Plugin) -> None:
    plugin.deploy("1.0.0")
    plugin.deploy("1.1.0", SHADOW)
    with plugin.database.transaction() as connection:
        (shadow,) = (each for each in queries.list_shares(connection, plugin.namespace_id, "words") if not each.traffic)

    async def count(process_id: str, numbers: list[int]) -> None:
        shadowing = Shadowing(plugin.database, process_id)
        mirror = shadowing.mirror_for(shadow.deployment_id, cast("ReplicaSet", None), (), ONE)
        for number in numbers:
            for _ in range(number):
                mirror.report.note_difference(Difference(changed=["label"]))
            await shadowing.flush()
        assert shadowing.mirror_for(shadow.deployment_id, cast("ReplicaSet", None), (), ONE) is mirror
        shadowing.keep(set())

    asyncio.run(count("one", [2, 0, 3]))
    asyncio.run(count("two", [10]))
    found = plugin.describe_traffic("1.0.0")["shadow"]
    plugin.promote("1.1.0")

    assert (found["plugin_id"], found["compared_with"], found["compared"]) == (TWO, ONE, 15)
    assert found["keys"] == [{"key": "label", "changed": 15, "missing": 0, "added": 0}]
    assert plugin.describe_traffic("1.1.0")["shadow"] == found, "it can still be read after the promotion"
    assert plugin.describe_traffic("1.0.0")["shadow"] is None


def check_legal(plugin: Plugin) -> None:
    """Check what must hold whatever was done."""
    shares = plugin.shares()
    assert sum(traffic for _, _, traffic in shares) == (100 if shares else 0), shares
    assert [role for _, role, _ in shares][:1] in ([], ["stable"]), shares
    assert len(shares) <= 2, shares
    with plugin.database.transaction() as connection:
        answering = scalar(
            connection,
            "SELECT count(*) FROM live_deployments l JOIN deployments d USING (deployment_id)"
            " WHERE l.namespace_id = %s AND d.status = 'DEPLOYED' AND d.plugin_id = l.plugin_id",
            [plugin.namespace_id],
        )
        deployed = scalar(
            connection,
            "SELECT count(*) FROM deployments WHERE namespace_id = %s AND status = 'DEPLOYED'",
            [plugin.namespace_id],
        )
    assert answering == deployed == len(shares)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_is_done_in_whatever_order_the_sharing_stays_legal(plugin: Plugin, seed: int) -> None:
    chance = random.Random(seed)
    queued: list[str] = []
    done: list[str] = []

    def queue(number: str) -> None:
        split = chance.choice([EVERYTHING, CANARY, Split(Role.CANARY, 60), SHADOW])
        answer = plugin.queue(number, split)
        if answer["status"] == "queued" and answer["deployment_id"] not in queued:
            queued.append(answer["deployment_id"])

    def carry_out(_: str) -> None:
        if queued:
            plugin.carry_out(queued.pop(chance.randrange(len(queued))))

    def promote(_: str) -> None:
        plugin.promote(chance.choice([number_of(found) for found, _, _ in plugin.shares()] or NUMBERS))

    for _ in range(60):
        act = chance.choice([queue, queue, carry_out, carry_out, carry_out, promote, plugin.undeploy, plugin.roll_back])
        number, before = chance.choice(NUMBERS), plugin.everything()
        try:
            act(number)
            done.append(act.__name__)
        except Conflict as refused:
            assert refused.hint
            assert plugin.everything() == before, "a refusal changes nothing"
        check_legal(plugin)

    assert {"carry_out", "promote", "undeploy"} <= set(done)
