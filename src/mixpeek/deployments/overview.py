"""How all versions of a name that matter stand: the stable one, what is beside it, and the one that is asked for."""

from __future__ import annotations

from typing import Any

from mixpeek.db.pool import Connection
from mixpeek.deployments import queries
from mixpeek.deployments.models import Deployment, Role
from mixpeek.deployments.service import status
from mixpeek.deployments.shadow_report import report_from_wire
from mixpeek.deployments.traffic import beside, share_of
from mixpeek.registry import queries as registry_queries
from mixpeek.registry.models import PluginVersion


def describe_traffic(connection: Connection, version: PluginVersion) -> dict[str, Any]:
    """Return the versions that share the requests of a name, with their states, and what the shadow answered."""
    shares = queries.list_shares(connection, version.namespace_id, version.name)
    plugin_ids = dict.fromkeys([*(share.plugin_id for share in shares), version.plugin_id])
    versions = []
    for plugin_id in plugin_ids:
        found = registry_queries.find_version(connection, version.namespace_id, plugin_id)
        if found is None:
            continue  # deleted in this moment
        share = share_of(shares, plugin_id)
        versions.append(
            {
                **status(connection, found),
                "role": share.role if share else None,
                "traffic": share.traffic if share else 0,
                "since": share.since if share else None,
            }
        )
    other = beside(shares)
    is_shadow = other is not None and other.role == Role.SHADOW
    shadow = None
    if other is not None and is_shadow:
        shadow = _describe_shadow(connection, other.plugin_id, other.deployment_id)
    elif (own := queries.find_latest(connection, version.namespace_id, version.plugin_id)) is not None:
        shadow = _describe_past(connection, own)
    return {"namespace_id": version.namespace_id, "name": version.name, "versions": versions, "shadow": shadow}


def _describe_past(connection: Connection, deployment: Deployment) -> dict[str, Any] | None:
    """Return what a version answered while it was a shadow, None if it never was since it was last deployed."""
    found = _describe_shadow(connection, deployment.plugin_id, deployment.deployment_id)
    return found if found["updated_at"] is not None else None


def _describe_shadow(connection: Connection, plugin_id: str, deployment_id: str) -> dict[str, Any]:
    rows = queries.list_shadow_reports(connection, deployment_id)
    return {
        "plugin_id": plugin_id,
        "compared_with": rows[-1]["compared_with"] if rows else None,
        "updated_at": rows[-1]["updated_at"] if rows else None,
        **report_from_wire(row["report"] for row in rows).describe(),
    }
