"""A plugin by its name: its history, going back to an earlier version, and what changed between two."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from mixpeek.api.access import PathNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.platform import Platform
from mixpeek.api.responses import json_response
from mixpeek.api.schemas.plugin_versions import PluginRolledBack, VersionDiff, VersionHistory
from mixpeek.contract.versions import normalise_version, plugin_id_from
from mixpeek.db.pool import Connection
from mixpeek.deployments import queries as deployment_queries
from mixpeek.deployments import service as deployments
from mixpeek.deployments.history import list_history
from mixpeek.deployments.models import UNDER_WAY, Deployment, Status
from mixpeek.errors import Conflict, InvalidRequest, NotFound
from mixpeek.registry import queries, sources
from mixpeek.registry.models import PluginVersion
from mixpeek.wire import WireModel

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/plugins/by-name/{slug}", tags=["plugin versions"])

ROLLBACK_LIMIT_S = 120.0
ROLLBACK_POLL_S = 0.05


class Rollback(WireModel):
    version: str | None = None
    message: str | None = Field(None, max_length=2000)


@router.get("/versions", **answers(VersionHistory, operation_id="list_plugin_versions"))
def list_versions(platform: PlatformDep, namespace: PathNamespace, slug: str) -> Response:
    """Return the version history, newest first, with every deploy and rollback."""
    with platform.database.transaction() as connection:
        name = _name(connection, namespace.namespace_id, slug)
        return json_response(list_history(connection, namespace.namespace_id, name))


@router.post("/rollback", **answers(PluginRolledBack, 409, checked=True, operation_id="roll_back_plugin"))
def roll_back(
    platform: PlatformDep, namespace: PathNamespace, caller: Writer, slug: str, body: Rollback | None = None
) -> dict[str, Any]:
    """Make an earlier version active again (by default the previous one); answers once it is.

    The version is started, described and asked once before anything changes; when it does not pass, nothing has.
    """
    wanted = body or Rollback(version=None, message=None)
    with platform.database.transaction() as connection:
        name = _name(connection, namespace.namespace_id, slug)
        target = _target(connection, platform, namespace.namespace_id, name, wanted.version)
        before = queries.find_version_by_name(connection, namespace.namespace_id, name, None)
        deployment = deployments.roll_back(connection, namespace, target, message=wanted.message, actor=caller.name)
    ended = _wait(platform, deployment.deployment_id)
    if ended.status == Status.FAILED:
        raise Conflict(
            f"{target.plugin_id} did not pass: {ended.error}",
            hint="The version that was active still is; repair the cause, or name another version",
            phase=ended.phase,
        )
    with platform.database.transaction() as connection:
        states = deployment_queries.list_replica_states(connection, deployment.deployment_id)
    running = next((state["code_hash"] for state in states if state["code_hash"]), None)
    return {
        "success": True,
        "name": name,
        "plugin_id": target.plugin_id,
        "version": target.version,
        "previous_version": before.version if before else None,
        "code_hash": target.code_hash,
        "running_code_hash": running,
        "deployment_status": ended.status,
        "warnings": ended.warnings,
        "message": f"{name} {target.version} is active again",
    }


@router.get("/diff", **answers(VersionDiff, operation_id="diff_plugin_versions"))
def diff_versions(
    platform: PlatformDep,
    namespace: PathNamespace,
    slug: str,
    v1: Annotated[str, Query(description="The earlier version")],
    v2: Annotated[str, Query(description="The later version")],
) -> Response:
    """Return what changed from `v1` to `v2`: file by file, and in what the manifest declares."""
    with platform.database.transaction() as connection:
        name = _name(connection, namespace.namespace_id, slug)
        before = _numbered(connection, platform, namespace.namespace_id, name, v1)
        after = _numbered(connection, platform, namespace.namespace_id, name, v2)
    return json_response(sources.diff(platform.registry, before, after))


def _name(connection: Connection, namespace_id: str, slug: str) -> str:
    name = queries.find_name(connection, namespace_id, slug)
    if name is None:
        raise NotFound("plugin", slug, hint="`mixpeek plugin list` shows what this namespace has")
    return name


def _target(
    connection: Connection, platform: Platform, namespace_id: str, name: str, number: str | None
) -> PluginVersion:
    if number is not None:
        return _numbered(connection, platform, namespace_id, name, number)
    plugin_id = queries.find_previous(connection, namespace_id, name)
    if plugin_id is None:
        raise Conflict(f"{name} has no earlier version to go back to", hint="Name a version")
    return platform.registry.get(connection, namespace_id, plugin_id)


def _numbered(connection: Connection, platform: Platform, namespace_id: str, name: str, number: str) -> PluginVersion:
    try:
        plugin_id = plugin_id_from(name, normalise_version(number))
    except ValueError as error:
        raise InvalidRequest(str(error), hint="Write versions as 1.2.3") from error
    return platform.registry.get(connection, namespace_id, plugin_id)


def _wait(platform: Platform, deployment_id: str) -> Deployment:
    """Return the deployment once it has ended; the worker carries it out."""
    deadline = time.monotonic() + ROLLBACK_LIMIT_S
    while True:
        with platform.database.transaction() as connection:
            deployment = deployment_queries.find_deployment(connection, deployment_id)
        if deployment is None or deployment.status not in UNDER_WAY:
            break
        if time.monotonic() > deadline:
            raise Conflict(
                f"The rollback has not ended after {ROLLBACK_LIMIT_S:.0f} s; it goes on",
                hint=f"Poll GET …/plugins/{deployment.plugin_id}/status",
            )
        time.sleep(ROLLBACK_POLL_S)
    if deployment is None:
        raise NotFound("deployment", deployment_id)
    return deployment
