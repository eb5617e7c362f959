"""A plugin's versions with everything that was done to each."""

from __future__ import annotations

from typing import Any

from mixpeek.db.pool import Connection
from mixpeek.registry import queries

DEPLOYED = frozenset({"deployed", "batch_only", "activated"})


def list_history(connection: Connection, namespace_id: str, name: str) -> dict[str, Any]:
    """Return the versions of a plugin, newest first, each with its deploys, rollbacks and undeploys.

    Two statements, however many versions there are.
    """
    events: dict[str, list[dict[str, Any]]] = {}
    last: dict[str, Any] = {}
    for event in queries.list_deployments(connection, namespace_id, name):
        plugin_id = event.pop("plugin_id")
        events.setdefault(plugin_id, []).append(event)
        if event["status"] in DEPLOYED:
            last.setdefault(plugin_id, event["deployed_at"])
    versions = []
    for summary in queries.list_summaries(connection, namespace_id, name):
        done = events.get(summary.plugin_id, [])
        versions.append(
            {
                **summary.wire(),
                "message": summary.message,
                "author": summary.author,
                "deployment_status": _status(summary.deployed, done),
                "deployed_at": last.get(summary.plugin_id),
                "deployments": done,
            }
        )
    active = next((version["version"] for version in versions if version["active"]), None)
    return {"success": True, "name": name, "active_version": active, "versions": versions, "total": len(versions)}


def _status(deployed: bool, events: list[dict[str, Any]]) -> str:
    if deployed:
        return "DEPLOYED"
    return "FAILED" if events and events[0]["status"] == "failed" else "NOT_DEPLOYED"
