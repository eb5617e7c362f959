"""Enabling one of the organization's plugins in a namespace: what is live for the others stays so."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from factories.rollout_walks import Platform
from mixpeek.api.routes.plugin_library import Enable, enable_plugin
from mixpeek.db.pool import new_id
from mixpeek.deployments import queries, service
from mixpeek.registry.library import library_of
from mixpeek.registry.models import PluginVersion
from mixpeek.tenancy.models import Namespace, Principal


class Shared:
    """Two versions of an organization plugin, and a namespace in which they can be enabled."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        with platform.database.transaction() as connection:
            self.library = library_of(connection, platform.organization_id)
        self.namespace: Namespace = platform.make_namespace()
        name = new_id("shared")
        self.one, self.two = (platform.publish(self.library, name, number) for number in ("1.0.0", "2.0.0"))

    def enable(self, version: PluginVersion, permission: str = "write", **body: Any) -> tuple[str, str]:
        """Return the status and the message of the answer."""
        caller = Principal(self.platform.organization_id, "key", "who", (permission,))
        api = cast("Any", SimpleNamespace(database=self.platform.database))
        answer = enable_plugin(api, self.namespace, caller, version.plugin_id, Enable(**body) if body else None)
        return answer["deployment_status"], answer["message"]

    def latest(self, version: PluginVersion) -> str | None:
        with self.platform.database.transaction() as connection:
            found = queries.find_latest(connection, version.namespace_id, version.plugin_id)
        return found.deployment_id if found else None

    def go_live(self, version: PluginVersion) -> None:
        deployment_id = self.latest(version)
        assert deployment_id is not None
        with self.platform.database.transaction() as connection:
            connection.execute(
                "UPDATE deployments SET status = 'DEPLOYED', phase = 'live' WHERE deployment_id = %s", [deployment_id]
            )
            queries.set_live(connection, version.namespace_id, version.name, version.plugin_id, deployment_id)


@pytest.fixture
def shared(platform: Platform) -> Iterator[Shared]:
    made = Shared(platform)
    yield made
    with platform.database.transaction() as connection:
        for namespace in (made.namespace, made.library):
            connection.execute("DELETE FROM tasks WHERE namespace_id = %s", [namespace.namespace_id])
            connection.execute("DELETE FROM plugin_versions WHERE namespace_id = %s", [namespace.namespace_id])


def test_the_first_version_is_deployed_and_a_second_one_leaves_it_while_it_comes_and_when_it_is_live(
    shared: Shared,
) -> None:
    first, again = shared.enable(shared.one), shared.enable(shared.one)
    while_it_comes = shared.enable(shared.two)
    shared.go_live(shared.one)
    when_live = shared.enable(shared.two)
    by_default = shared.enable(shared.two, "admin")

    assert (first[0], again[0], shared.enable(shared.one)[0]) == ("pending", "pending", "deployed")
    for status, message in (while_it_comes, when_live, by_default):
        assert status == "skipped"
        assert f"not deployed, since {shared.one.plugin_id} answers the organization's namespaces" in message
    assert shared.latest(shared.two) is None
    with shared.platform.database.transaction() as connection:
        assert service.status(connection, shared.one)["deployed"]


@pytest.mark.parametrize(("permission", "status"), [("write", "skipped"), ("delete", "skipped"), ("admin", "pending")])
def test_only_an_administrator_who_says_so_replaces_what_is_live(shared: Shared, permission: str, status: str) -> None:
    shared.enable(shared.one)
    shared.go_live(shared.one)

    answered, _ = shared.enable(shared.two, permission, deploy=True)

    assert answered == status
    assert (shared.latest(shared.two) is not None) == (status == "pending")
