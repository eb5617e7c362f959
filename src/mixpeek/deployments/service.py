"""Asking for deployments and saying how they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixpeek.db.pool import Connection, new_id
from mixpeek.deployments import queries, sharing
from mixpeek.deployments.models import UNDER_WAY, Deployment, Phase, Role, Share, Status
from mixpeek.deployments.timeline import timeline_of
from mixpeek.deployments.traffic import EVERYTHING, Split, beside, check_beside, describe_share, share_of, ways_out
from mixpeek.errors import Conflict, NotFound
from mixpeek.registry import queries as registry_queries
from mixpeek.registry.models import PluginVersion
from mixpeek.tenancy.models import Namespace
from mixpeek.workflows import tasks

ROLL_OUT = "roll_out"


def deploy(
    connection: Connection,
    namespace: Namespace,
    version: PluginVersion,
    *,
    batch_only: bool,
    message: str | None,
    actor: str,
    warnings: Sequence[str] = (),
    split: Split = EVERYTHING,
) -> dict[str, Any]:
    """Queue the rollout of a version, or finish at once, with `warnings`, when it is only for batches.

    A canary or a shadow that runs already gets another share at once.

    Raises: Conflict: the version cannot be put beside what is live, or is being deployed with another share.
    """
    version = _lock(connection, version)
    latest = queries.find_latest(connection, version.namespace_id, version.plugin_id)
    if latest is not None and latest.status in UNDER_WAY:
        asked = Split(Role(latest.role), latest.traffic)
        if asked != split:
            raise Conflict(
                f"{version.plugin_id} is being deployed {asked}", hint="Wait until that ends, then deploy it again"
            )
        return _answer(latest, "This version is being deployed already")
    if split != EVERYTHING:
        before = _find_room(connection, version)
        if before is not None and (before.role, before.traffic) != (split.role, split.traffic):
            changed = sharing.change_share(connection, version, before, split, message=message, actor=actor)
            return {**_answer(changed, f"Deployed {split} from now on"), "status": "changed"}
    kind = "batch_only" if batch_only else "realtime"
    deployment = _queue(
        connection, namespace, version, kind, "deploy", message=message, actor=actor, run=not batch_only, split=split
    )
    if batch_only:
        queries.finish(connection, deployment.deployment_id, Status.NOT_DEPLOYED, Phase.ENDED, warnings=list(warnings))
        registry_queries.set_active(connection, version.namespace_id, version.name, version.plugin_id, replace=True)
    _record(connection, version, "deploy", "batch_only" if batch_only else "queued", deployment)
    found = queries.find_deployment(connection, deployment.deployment_id)
    assert found is not None
    return _answer(found, None)


def deploy_first(connection: Connection, namespace: Namespace, version: PluginVersion, *, actor: str) -> str | None:
    """Queue the rollout of a version unless one of its name is live, or is being deployed for requests.

    Returns: the plugin id of that one, None if this version is queued.
    """
    version = _lock(connection, version)
    live = queries.find_live(connection, version.namespace_id, version.name)
    if live is not None:
        return str(live["plugin_id"])
    coming = queries.find_under_way(connection, version.namespace_id, version.name)
    if coming is not None:
        return coming.plugin_id
    deploy(connection, namespace, version, batch_only=False, message="enabled", actor=actor)
    return None


def _find_room(connection: Connection, version: PluginVersion) -> Share | None:
    """Return the share a version has already; raise Conflict if it cannot be put beside what is live."""
    shares = queries.list_shares(connection, version.namespace_id, version.name)
    check_beside(version.name, version.plugin_id, shares)
    coming = queries.find_under_way(connection, version.namespace_id, version.name)
    if coming is not None and coming.role != Role.STABLE:
        raise Conflict(
            f"{coming.plugin_id} is being deployed to share the requests of {version.name}; there is no room for a"
            " third",
            hint=f"Wait until that ends, then promote or undeploy it: {ways_out(coming.plugin_id)}",
        )
    if coming is not None:
        raise Conflict(
            f"{coming.plugin_id} is being deployed {Split(Role(coming.role), coming.traffic)}, which ends what stands"
            " beside the stable version",
            hint="Wait until that ends, then share its requests",
        )
    return share_of(shares, version.plugin_id)


def roll_back(
    connection: Connection, namespace: Namespace, version: PluginVersion, *, message: str | None, actor: str
) -> Deployment:
    """Queue the return to an earlier version: live if something of this name is, else for batches only.

    Raises: Conflict: the version is active already, or a rollout of this name is under way.
    """
    version = _lock(connection, version)
    if version.active:
        other = beside(queries.list_shares(connection, version.namespace_id, version.name))
        hint = "Name another version"
        if other is not None:
            hint = f"To give it all requests again, `mixpeek plugin undeploy {other.plugin_id}`"
        raise Conflict(f"{version.name} {version.version} is the active version already", hint=hint)
    under_way = queries.find_under_way(connection, version.namespace_id, version.name)
    if under_way is not None:
        raise Conflict(f"{under_way.plugin_id} is being deployed", hint="Wait until that ends, then roll back")
    live = queries.find_live(connection, version.namespace_id, version.name)
    kind = "realtime" if live else "batch_only"
    deployment = _queue(connection, namespace, version, kind, "rollback", message=message, actor=actor, run=True)
    _record(connection, version, "rollback", "queued", deployment)
    return deployment


def _lock(connection: Connection, version: PluginVersion) -> PluginVersion:
    """Serialise what changes the deployments of a name, and return the version as it stands now.

    Raises: NotFound: it was deleted since the caller read it.
    """
    registry_queries.lock_name(connection, version.namespace_id, version.name)
    current = registry_queries.find_version(connection, version.namespace_id, version.plugin_id)
    if current is None:
        raise NotFound("plugin", version.plugin_id, hint="`mixpeek plugin list` shows what this namespace has")
    return current


def _queue(
    connection: Connection,
    namespace: Namespace,
    version: PluginVersion,
    kind: str,
    action: str,
    *,
    message: str | None,
    actor: str,
    run: bool,
    split: Split = EVERYTHING,
) -> Deployment:
    """Record a deployment and, with `run`, the task that carries it out."""
    deployment_id = new_id("dep")
    task_id = None
    if run:
        task_id = tasks.submit(
            connection,
            workflow=ROLL_OUT,
            task_type="plugin_custom",
            organization_id=namespace.organization_id,
            namespace_id=namespace.namespace_id,
            inputs={"deployment_id": deployment_id},
        )
    queries.insert_deployment(
        connection,
        {
            "deployment_id": deployment_id,
            "namespace_id": version.namespace_id,
            "plugin_id": version.plugin_id,
            "name": version.name,
            "deployment_type": kind,
            "role": split.role,
            "traffic": split.traffic,
            "action": action,
            "status": Status.QUEUED,
            "phase": Phase.QUEUED,
            "message": message,
            "actor": actor,
            "task_id": task_id,
        },
    )
    found = queries.find_deployment(connection, deployment_id)
    assert found is not None
    return found


def _record(connection: Connection, version: PluginVersion, action: str, outcome: str, deployment: Deployment) -> None:
    registry_queries.append_ledger(
        connection,
        version.namespace_id,
        version.name,
        version.plugin_id,
        action,
        outcome,
        actor=deployment.actor,
        message=deployment.message,
        details={"deployment_id": deployment.deployment_id},
    )


def undeploy(connection: Connection, version: PluginVersion, *, actor: str) -> dict[str, Any]:
    """Stop a version from answering realtime requests; the version itself stays.

    A canary's share goes back to the stable version, which cannot be undeployed while it has company.
    """
    version = _lock(connection, version)
    latest = queries.find_latest(connection, version.namespace_id, version.plugin_id)
    if latest is not None and latest.status in UNDER_WAY:
        raise Conflict(f"{version.plugin_id} is being deployed", hint="Wait until that ends, then undeploy")
    shares = queries.list_shares(connection, version.namespace_id, version.name)
    mine, other = share_of(shares, version.plugin_id), beside(shares)
    if mine is not None and mine.role == Role.STABLE and other is not None:
        raise Conflict(
            f"{version.plugin_id} is the stable version of {version.name}, and {other.plugin_id} its {other.role}",
            hint=f"Promote or undeploy {other.plugin_id} first: {ways_out(other.plugin_id)}",
        )
    deployment_id = queries.delete_live(connection, version.namespace_id, version.plugin_id)
    if deployment_id is not None:
        queries.finish(connection, deployment_id, Status.NOT_DEPLOYED, Phase.ENDED)
        registry_queries.append_ledger(
            connection,
            version.namespace_id,
            version.name,
            version.plugin_id,
            "undeploy",
            "undeployed",
            actor=actor,
        )
    return {**status(connection, version), "was_deployed": deployment_id is not None}


def status(connection: Connection, version: PluginVersion) -> dict[str, Any]:
    """Return how a version stands, in the documented shape."""
    shares = queries.list_shares(connection, version.namespace_id, version.name)
    live = share_of(shares, version.plugin_id)
    told = _choose_told(connection, version, live)
    deployed = live is not None
    manifest = version.parsed_manifest
    state = told.status if told else Status.NOT_DEPLOYED
    return {
        "plugin_id": version.plugin_id,
        "namespace_id": version.namespace_id,
        "status": state,
        "name": version.name,
        "version": version.version,
        "realtime_enabled": deployed,
        "realtime_source": (version.realtime_style or "pipeline") if deployed else None,
        "message": _explain(version.name, told, shares, live),
        "queued_at": told.queued_at if told else None,
        "estimated_completion_seconds": 5 if state in UNDER_WAY else None,
        "deployed": deployed,
        "route_prefix": f"/v1/namespaces/{version.namespace_id}/plugins/{version.plugin_id}" if deployed else None,
        "feature_uri": version.feature_uri,
        "features": [feature.uri(manifest) for feature in manifest.embeddings],
        "deployed_at": live.since if live else None,
        "error": told.error if told else None,
        "phase": told.phase if told else None,
        "warnings": told.warnings if told else [],
        "failure": _failure(told) if told else None,
        "timeline": timeline_of(told) if told else [],
        "code_hash": version.code_hash,
    }


def _choose_told(connection: Connection, version: PluginVersion, live: Share | None) -> Deployment | None:
    """Return which of a version's deployments its status tells of, None if it was never deployed.

    That is the latest one while it is under way, and if it failed since the version got the share it has. Otherwise
    the one that answers, which a deployment for batches only leaves as it was.
    """
    latest = queries.find_latest(connection, version.namespace_id, version.plugin_id)
    if live is None or latest is None or latest.status in UNDER_WAY:
        return latest
    has_failed = latest.status == Status.FAILED
    if has_failed and latest.finished_at is not None and latest.finished_at > live.since:
        return latest
    return queries.find_deployment(connection, live.deployment_id)


def _failure(told: Deployment) -> dict[str, Any] | None:
    """Return why a rollout failed, in parts, and where its log is."""
    if told.status != Status.FAILED or told.failure is None:
        return None
    plugin = f"/v1/namespaces/{told.namespace_id}/plugins/{told.plugin_id}"
    return {
        "phase": told.phase,
        **told.failure,
        "logs_url": f"{plugin}/logs?deployment_id={told.deployment_id}",
    }


def _explain(name: str, told: Deployment | None, shares: Sequence[Share], live: Share | None) -> str:
    if told is None:
        return "Never deployed; POST …/deploy starts a rollout"
    if told.status == Status.FAILED:
        return f"The rollout failed in phase {told.phase}; {_what_answers(name, shares, live)}"
    if told.status in UNDER_WAY:
        return f"Rollout under way, in phase {told.phase}"
    if live is not None:
        return describe_share(live)
    if told.deployment_type == "batch_only":
        return "Deployed for batches only; usable in collections, without a realtime endpoint"
    return "Not deployed: superseded or undeployed"


def _what_answers(name: str, shares: Sequence[Share], live: Share | None) -> str:
    """Return what a rollout that failed has left as it was."""
    if live is not None:
        return "its earlier deployment still answers"
    return f"{shares[0].plugin_id} still answers" if shares else f"nothing of {name} is live"


def _answer(deployment: Deployment, message: str | None) -> dict[str, Any]:
    batch_only = deployment.deployment_type == "batch_only"
    return {
        "success": True,
        "plugin_id": deployment.plugin_id,
        "deployment_id": deployment.deployment_id,
        "status": "batch_only" if batch_only else "queued",
        "deployment_type": deployment.deployment_type,
        "deployment_status": deployment.status,
        "route_prefix": f"/v1/namespaces/{deployment.namespace_id}/plugins/{deployment.plugin_id}",
        "task_id": deployment.task_id,
        "message": message or ("Ready for batches" if batch_only else "Queued; poll …/status until DEPLOYED"),
    }
