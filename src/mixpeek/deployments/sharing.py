"""Changing which versions share the requests of a name: each function is part of a transaction that holds its lock."""

from __future__ import annotations

from mixpeek.db.pool import Connection
from mixpeek.deployments import queries
from mixpeek.deployments.models import Deployment, Phase, Role, Share, Status
from mixpeek.deployments.traffic import Split, beside, check_beside, share_of, warnings_of
from mixpeek.errors import Conflict
from mixpeek.registry import queries as registry_queries
from mixpeek.registry.models import PluginVersion


def take_over(
    connection: Connection, namespace_id: str, name: str, plugin_id: str, deployment_id: str, *, activate: bool = True
) -> list[str]:
    """Give every request of a name to one deployment; return the plugin ids of other versions this relieves.

    Args:
        activate: Whether batches go to it as well.
    """
    shares = queries.list_shares(connection, namespace_id, name)
    is_known = share_of(shares, plugin_id) is not None
    ended = []
    for share in shares:
        if share.deployment_id != deployment_id:
            queries.finish(connection, share.deployment_id, Status.NOT_DEPLOYED, Phase.ENDED)
        if share.plugin_id != plugin_id:
            ended.append(share.plugin_id)
            # The place of a stable version goes to its successor, unless that has one already.
            if is_known or share.role != Role.STABLE:
                queries.delete_live(connection, namespace_id, share.plugin_id)
    queries.set_live(connection, namespace_id, name, plugin_id, deployment_id)
    if activate:
        registry_queries.set_active(connection, namespace_id, name, plugin_id, replace=True)
    return ended


def step_beside(connection: Connection, deployment: Deployment, version: PluginVersion) -> list[str]:
    """Put a canary or a shadow beside the stable version; return warnings, raise Conflict if there is no such place."""
    shares = queries.list_shares(connection, deployment.namespace_id, deployment.name)
    split = Split(Role(deployment.role), deployment.traffic)
    check_beside(deployment.name, deployment.plugin_id, shares)
    before = beside(shares)
    queries.set_share(
        connection,
        deployment.namespace_id,
        deployment.name,
        deployment.plugin_id,
        deployment.deployment_id,
        split.role,
        split.traffic,
    )
    if before is not None and before.deployment_id != deployment.deployment_id:
        queries.finish(connection, before.deployment_id, Status.NOT_DEPLOYED, Phase.ENDED)
    stable = registry_queries.find_version(connection, deployment.namespace_id, shares[0].plugin_id)
    return warnings_of(split.role, version, stable) if stable is not None else []


def change_share(
    connection: Connection, version: PluginVersion, before: Share, split: Split, *, message: str | None, actor: str
) -> Deployment:
    """Change the share of a version that runs already; its hosts stay, so this holds at once."""
    queries.set_share(
        connection,
        version.namespace_id,
        version.name,
        version.plugin_id,
        before.deployment_id,
        split.role,
        split.traffic,
    )
    was = Split(Role(before.role), before.traffic)
    queries.remark(connection, before.deployment_id, Phase.LIVE, f"{split}; was {was}")
    stable = queries.list_shares(connection, version.namespace_id, version.name)[0]
    _warn_anew(connection, version, stable.plugin_id, before, split.role)
    registry_queries.append_ledger(
        connection,
        version.namespace_id,
        version.name,
        version.plugin_id,
        "deploy",
        split.role,
        actor=actor,
        message=message,
        details={"deployment_id": before.deployment_id, "traffic": split.traffic, "traffic_before": before.traffic},
    )
    found = queries.find_deployment(connection, before.deployment_id)
    assert found is not None
    return found


def promote(connection: Connection, version: PluginVersion, *, message: str | None, actor: str) -> list[str]:
    """Make a canary or a shadow the only live version of its name; return the plugin ids of those it relieves.

    Raises: Conflict: the version is neither, or a rollout of this name is under way.
    """
    registry_queries.lock_name(connection, version.namespace_id, version.name)
    under_way = queries.find_under_way(connection, version.namespace_id, version.name)
    if under_way is not None:
        raise Conflict(f"{under_way.plugin_id} is being deployed", hint="Wait until that ends, then promote")
    shares = queries.list_shares(connection, version.namespace_id, version.name)
    share = share_of(shares, version.plugin_id)
    if share is None:
        raise Conflict(
            f"{version.plugin_id} is neither a canary nor a shadow of {version.name}",
            hint=f"`mixpeek plugin deploy {version.plugin_id} --traffic 10` makes it one; without `--traffic` it"
            " takes all requests",
        )
    if share.role == Role.STABLE:
        other = beside(shares)
        raise Conflict(
            f"{version.plugin_id} is the stable version of {version.name} already",
            hint="Nothing shares its requests" if other is None else f"To end {other.plugin_id}, undeploy that",
        )
    ended = take_over(connection, version.namespace_id, version.name, version.plugin_id, share.deployment_id)
    was = Split(Role(share.role), share.traffic)
    queries.remark(connection, share.deployment_id, Phase.LIVE, f"promoted to all requests; was {was}")
    _warn_anew(connection, version, shares[0].plugin_id, share, Role.STABLE)
    registry_queries.append_ledger(
        connection,
        version.namespace_id,
        version.name,
        version.plugin_id,
        "promote",
        "deployed",
        actor=actor,
        message=message,
        details={"deployment_id": share.deployment_id, "role_before": share.role, "superseded": ended},
    )
    return ended


def _warn_anew(connection: Connection, version: PluginVersion, stable_id: str, before: Share, role: Role) -> None:
    """Give the deployment of a version whose role becomes another the warnings of that, in place of the old ones."""
    stable = registry_queries.find_version(connection, version.namespace_id, stable_id)
    deployment = queries.find_deployment(connection, before.deployment_id)
    assert stable is not None, "the stable version is not deleted while it has company"
    assert deployment is not None
    outdated = warnings_of(Role(before.role), version, stable)
    kept = [warning for warning in deployment.warnings if warning not in outdated]
    queries.set_warnings(connection, before.deployment_id, kept + warnings_of(role, version, stable))
