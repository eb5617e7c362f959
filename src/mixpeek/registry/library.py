"""Plugins an organization shares: published once, enabled in the namespaces that want them."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.db.pool import Connection, dict_rows, new_id, scalar
from mixpeek.errors import Conflict, NotFound
from mixpeek.registry import queries
from mixpeek.registry.models import PluginVersion
from mixpeek.tenancy.models import Namespace
from mixpeek.tenancy.queries import find_namespace, insert_namespace


def library_of(connection: Connection, organization_id: str) -> Namespace:
    """Return the namespace that holds an organization's shared plugins, made on first use."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('mixpeek.library'), hashtext(%s))", [organization_id])
    found = scalar(
        connection, "SELECT library_namespace FROM organizations WHERE organization_id = %s", [organization_id]
    )
    if found is None:
        found = new_id("ns")
        insert_namespace(
            connection,
            {
                "namespace_id": found,
                "organization_id": organization_id,
                "namespace_name": f"library:{organization_id}",
                "namespace_type": "library",
                "description": "Plugins shared by the organization",
                "feature_extractors": [],
                "payload_indexes": [],
                "auto_create_indexes": False,
            },
        )
        connection.execute(
            "UPDATE organizations SET library_namespace = %s WHERE organization_id = %s", [found, organization_id]
        )
    namespace = find_namespace(connection, organization_id, found)
    assert namespace is not None, "the library was made in this transaction"
    return namespace


def list_available(connection: Connection, namespace: Namespace) -> dict[str, Any]:
    """Return the organization's plugins, each with whether this namespace has it enabled."""
    library = library_of(connection, namespace.organization_id)
    enabled = {row["plugin_id"] for row in _enabled(connection, namespace.namespace_id)}
    plugins = [
        {**summary.wire(), "enabled_in_namespace": summary.plugin_id in enabled}
        for summary in queries.list_summaries(connection, library.namespace_id)
    ]
    return {
        "success": True,
        "plugins": plugins,
        "total": len(plugins),
        "organization_id": namespace.organization_id,
        "namespace_id": namespace.namespace_id,
    }


def enable(
    connection: Connection, namespace: Namespace, plugin_id: str, params: dict[str, Any], actor: str
) -> PluginVersion:
    """Let a namespace use one of its organization's plugins; doing it twice updates the parameters."""
    version = _shared(connection, namespace, plugin_id)
    connection.execute(
        "INSERT INTO enabled_plugins (namespace_id, library_namespace, plugin_id, params, actor)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (namespace_id, plugin_id) DO UPDATE SET params = EXCLUDED.params",
        [namespace.namespace_id, version.namespace_id, plugin_id, Jsonb(params), actor],
    )
    return version


def disable(
    connection: Connection, namespace: Namespace, plugin_id: str, dependents: list[dict[str, Any]], *, force: bool
) -> None:
    """Take a shared plugin from a namespace; refuse while collections use it, unless forced."""
    _shared(connection, namespace, plugin_id)
    if dependents and not force:
        raise Conflict(
            f"{len(dependents)} collections of this namespace use {plugin_id}",
            hint="Delete or change them first, or send `force=true`; forced, they keep their documents",
            collections=dependents,
        )
    cursor = connection.execute(
        "DELETE FROM enabled_plugins WHERE namespace_id = %s AND plugin_id = %s", [namespace.namespace_id, plugin_id]
    )
    if cursor.rowcount == 0:
        raise NotFound("enabled plugin", plugin_id, hint="GET …/plugins/available shows what is enabled")


def find_enabled(connection: Connection, namespace_id: str, name: str, number: str | None) -> PluginVersion | None:
    """Return the enabled shared version of this name and number; without a number, the newest enabled one."""
    for row in _enabled(connection, namespace_id):
        version = queries.find_version(connection, row["library_namespace"], row["plugin_id"])
        if version is not None and version.name == name and number in (None, version.version):
            return version
    return None


def list_enabled(connection: Connection, namespace_id: str) -> list[PluginVersion]:
    rows = _enabled(connection, namespace_id)
    found = [queries.find_version(connection, row["library_namespace"], row["plugin_id"]) for row in rows]
    return [version for version in found if version is not None]


def _enabled(connection: Connection, namespace_id: str) -> list[dict[str, Any]]:
    return dict_rows(
        connection,
        "SELECT e.plugin_id, e.library_namespace FROM enabled_plugins e JOIN plugin_versions v"
        " ON v.namespace_id = e.library_namespace AND v.plugin_id = e.plugin_id"
        " WHERE e.namespace_id = %s AND v.deleted_at IS NULL ORDER BY v.name, v.version_key DESC",
        [namespace_id],
    )


def _shared(connection: Connection, namespace: Namespace, plugin_id: str) -> PluginVersion:
    library = library_of(connection, namespace.organization_id)
    version = queries.find_version(connection, library.namespace_id, plugin_id)
    if version is None:
        raise NotFound("organization plugin", plugin_id, hint="GET …/plugins/available lists them")
    return version
