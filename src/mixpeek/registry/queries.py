"""SQL over plugin_uploads, plugin_versions, active_versions and plugin_ledger."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row
from mixpeek.registry.models import PluginVersion, Upload

UPLOAD = (
    "upload_id, namespace_id, name, version, version_given, description, file_size_bytes, object_key, state, result,"
    " expires_at"
)
VERSION = (
    "v.namespace_id, v.plugin_id, v.name, v.version, v.description, v.code_hash, v.package, v.archive_sha256,"
    " v.archive_key, v.size_bytes, v.files, v.manifest, v.realtime_style, v.findings, v.message, v.author,"
    " v.created_at, n.host_uid, (a.plugin_id IS NOT NULL) AS active"
)
FROM = (
    " FROM plugin_versions v JOIN namespaces n USING (namespace_id)"
    " LEFT JOIN active_versions a ON a.namespace_id = v.namespace_id AND a.plugin_id = v.plugin_id"
)


def lock_name(connection: Connection, namespace_id: str, name: str) -> None:
    """Serialise what decides about versions of one plugin until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s), hashtext(%s))", [namespace_id, name])


def insert_upload(connection: Connection, upload: dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO plugin_uploads (upload_id, namespace_id, name, version, version_given, description,"
        " file_size_bytes, object_key, expires_at) VALUES (%(upload_id)s, %(namespace_id)s, %(name)s, %(version)s,"
        " %(version_given)s, %(description)s, %(file_size_bytes)s, %(object_key)s, %(expires_at)s)",
        upload,
    )


def lock_upload(connection: Connection, namespace_id: str, upload_id: str) -> Upload | None:
    return first_row(
        connection,
        Upload,
        f"SELECT {UPLOAD} FROM plugin_uploads WHERE namespace_id = %s AND upload_id = %s FOR UPDATE",
        [namespace_id, upload_id],
    )


def finish_upload(connection: Connection, upload_id: str, state: str, result: dict[str, Any]) -> None:
    connection.execute(
        "UPDATE plugin_uploads SET state = %s, result = %s WHERE upload_id = %s", [state, Jsonb(result), upload_id]
    )


def list_taken_versions(connection: Connection, namespace_id: str, name: str) -> list[str]:
    """Return versions that are published, and those handed out to uploads still open."""
    rows = dict_rows(
        connection,
        "SELECT version FROM plugin_versions WHERE namespace_id = %(ns)s AND name = %(name)s"
        " UNION SELECT version FROM plugin_uploads WHERE namespace_id = %(ns)s AND name = %(name)s"
        " AND state = 'requested' AND NOT version_given AND expires_at > now()",
        {"ns": namespace_id, "name": name},
    )
    return [row["version"] for row in rows]


def insert_version(connection: Connection, version: dict[str, Any]) -> bool:
    """Insert a published version; False when it exists."""
    columns = list(version)
    values = {
        key: Jsonb(value) if key in ("files", "manifest", "findings") else value for key, value in version.items()
    }
    cursor = connection.execute(
        f"INSERT INTO plugin_versions ({', '.join(columns)}) VALUES ({', '.join(f'%({c})s' for c in columns)})"
        " ON CONFLICT DO NOTHING",
        values,
    )
    return cursor.rowcount == 1


def find_version(connection: Connection, namespace_id: str, plugin_id: str) -> PluginVersion | None:
    return first_row(
        connection,
        PluginVersion,
        f"SELECT {VERSION}{FROM} WHERE v.namespace_id = %s AND v.plugin_id = %s",
        [namespace_id, plugin_id],
    )


def find_version_by_name(
    connection: Connection, namespace_id: str, name: str, version: str | None
) -> PluginVersion | None:
    """Find a version by name and number; without a number, the active one."""
    return first_row(
        connection,
        PluginVersion,
        f"SELECT {VERSION}{FROM} WHERE v.namespace_id = %(ns)s AND v.name = %(name)s"
        " AND CASE WHEN %(version)s::text IS NULL THEN a.plugin_id IS NOT NULL ELSE v.version = %(version)s END",
        {"ns": namespace_id, "name": name, "version": version},
    )


def list_versions(connection: Connection, namespace_id: str, name: str | None = None) -> list[PluginVersion]:
    return all_rows(
        connection,
        PluginVersion,
        f"SELECT {VERSION}{FROM} WHERE v.namespace_id = %(ns)s AND (%(name)s::text IS NULL OR v.name = %(name)s)"
        " ORDER BY v.name, v.version_key DESC",
        {"ns": namespace_id, "name": name},
    )


def set_active(connection: Connection, namespace_id: str, name: str, plugin_id: str, *, replace: bool) -> None:
    """Point `name` at `plugin_id`; without `replace`, only when nothing is active yet."""
    resolution = "UPDATE SET plugin_id = EXCLUDED.plugin_id, updated_at = now()" if replace else "NOTHING"
    connection.execute(
        "INSERT INTO active_versions (namespace_id, name, plugin_id) VALUES (%s, %s, %s)"
        f" ON CONFLICT (namespace_id, name) DO {resolution}",
        [namespace_id, name, plugin_id],
    )


def append_ledger(
    connection: Connection,
    namespace_id: str,
    name: str,
    plugin_id: str,
    action: str,
    outcome: str,
    *,
    actor: str | None,
    message: str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    connection.execute(
        "INSERT INTO plugin_ledger (namespace_id, name, plugin_id, action, outcome, actor, message, details)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [namespace_id, name, plugin_id, action, outcome, actor, message, Jsonb(details or {})],
    )
