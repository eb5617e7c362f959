"""SQL over plugin_uploads, plugin_versions, active_versions and plugin_ledger."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, insert_new, scalar
from mixpeek.registry.models import PluginVersion, Upload, VersionSummary

UPLOAD = (
    "upload_id, namespace_id, name, version, version_given, description, file_size_bytes, object_key, state, result,"
    " expires_at"
)
VERSION = (
    "v.namespace_id, v.plugin_id, v.name, v.version, v.description, v.code_hash, v.package, v.archive_sha256,"
    " v.archive_key, v.size_bytes, v.files, v.manifest, v.realtime_style, v.findings, v.message, v.author,"
    " v.created_at, n.host_uid, (a.plugin_id IS NOT NULL) AS active, v.lock"
)
FROM = (
    " FROM plugin_versions v JOIN namespaces n USING (namespace_id)"
    " LEFT JOIN active_versions a ON a.namespace_id = v.namespace_id AND a.plugin_id = v.plugin_id"
    " WHERE v.deleted_at IS NULL"
)
SUMMARY = (
    "SELECT v.plugin_id, v.name, v.version, v.description, v.code_hash, v.size_bytes, v.message, v.author,"
    " v.created_at, v.first_feature, (a.plugin_id IS NOT NULL) AS active, (l.plugin_id IS NOT NULL) AS deployed"
    " FROM plugin_versions v"
    " LEFT JOIN active_versions a ON a.namespace_id = v.namespace_id AND a.plugin_id = v.plugin_id"
    " LEFT JOIN live_deployments l ON l.namespace_id = v.namespace_id AND l.plugin_id = v.plugin_id"
    " WHERE v.deleted_at IS NULL"
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


def find_upload(connection: Connection, namespace_id: str, upload_id: str) -> Upload | None:
    return first_row(
        connection,
        Upload,
        f"SELECT {UPLOAD} FROM plugin_uploads WHERE namespace_id = %s AND upload_id = %s",
        [namespace_id, upload_id],
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
    return insert_new(connection, "plugin_versions", version, json=("files", "manifest", "findings"))


def find_version(connection: Connection, namespace_id: str, plugin_id: str) -> PluginVersion | None:
    return first_row(
        connection,
        PluginVersion,
        f"SELECT {VERSION}{FROM} AND v.namespace_id = %s AND v.plugin_id = %s",
        [namespace_id, plugin_id],
    )


def record_lock(
    connection: Connection, namespace_id: str, plugin_id: str, lock: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """Record the packages of a version unless some are; return those that are recorded then."""
    if lock is not None:
        connection.execute(
            "UPDATE plugin_versions SET lock = %s WHERE namespace_id = %s AND plugin_id = %s AND lock IS NULL",
            [Jsonb(lock), namespace_id, plugin_id],
        )
    found: dict[str, Any] | None = scalar(
        connection, "SELECT lock FROM plugin_versions WHERE namespace_id = %s AND plugin_id = %s",
        [namespace_id, plugin_id],
    )  # fmt: skip
    return found


def record_realtime_style(connection: Connection, namespace_id: str, plugin_id: str, style: str) -> None:
    """Record how a version's handler is called, if its file could not be imported before its environment was built."""
    connection.execute(
        "UPDATE plugin_versions SET realtime_style = %s"
        " WHERE namespace_id = %s AND plugin_id = %s AND realtime_style IS NULL",
        [style, namespace_id, plugin_id],
    )


def list_live(connection: Connection) -> list[dict[str, Any]]:
    """Return `code_hash` and `lock` of every version that answers requests, now or for a collection made with it."""
    return dict_rows(
        connection,
        "SELECT v.code_hash, v.lock FROM plugin_versions v JOIN live_deployments USING (namespace_id, plugin_id)"
        " UNION ALL SELECT v.code_hash, v.lock FROM plugin_versions v WHERE EXISTS (SELECT FROM collection_generations"
        "  g WHERE g.state NOT IN ('retired', 'dropping')"
        "  AND g.plugin_namespace = v.namespace_id AND g.plugin_id = v.plugin_id)",
    )


def find_version_by_name(
    connection: Connection, namespace_id: str, name: str, version: str | None
) -> PluginVersion | None:
    """Find a version by name and number; without a number, the active one."""
    return first_row(
        connection,
        PluginVersion,
        f"SELECT {VERSION}{FROM} AND v.namespace_id = %(ns)s AND v.name = %(name)s"
        " AND CASE WHEN %(version)s::text IS NULL THEN a.plugin_id IS NOT NULL ELSE v.version = %(version)s END",
        {"ns": namespace_id, "name": name, "version": version},
    )


def is_taken(connection: Connection, namespace_id: str, plugin_id: str) -> bool:
    """Tell whether a version was ever published, deleted ones included."""
    found = scalar(
        connection,
        "SELECT true FROM plugin_versions WHERE namespace_id = %s AND plugin_id = %s",
        [namespace_id, plugin_id],
    )
    return bool(found)


def list_summaries(
    connection: Connection, namespace_id: str, name: str | None = None, *, limit: int = 10_000, offset: int = 0
) -> list[VersionSummary]:
    """Return versions by name, newest first, without their manifests and files."""
    # Two statements: with one for both, PostgreSQL's cached plan expects few rows and reads many, one by one.
    wanted = "" if name is None else " AND v.name = %(name)s"
    return all_rows(
        connection,
        VersionSummary,
        f"{SUMMARY} AND v.namespace_id = %(ns)s{wanted}"
        " ORDER BY v.name, v.version_key DESC LIMIT %(limit)s OFFSET %(offset)s",
        {"ns": namespace_id, "name": name, "limit": limit, "offset": offset},
    )


def list_versions(connection: Connection, namespace_id: str, *, active_only: bool = False) -> list[PluginVersion]:
    """Return versions by name, newest first, with their manifests and files."""
    wanted = " AND a.plugin_id IS NOT NULL" if active_only else ""
    return all_rows(
        connection,
        PluginVersion,
        f"SELECT {VERSION}{FROM} AND v.namespace_id = %s{wanted} ORDER BY v.name, v.version_key DESC",
        [namespace_id],
    )


def count_versions(connection: Connection, namespace_id: str) -> int:
    found = scalar(
        connection,
        "SELECT count(*) FROM plugin_versions WHERE namespace_id = %s AND deleted_at IS NULL",
        [namespace_id],
    )
    return int(found)


def list_deployments(connection: Connection, namespace_id: str, name: str) -> list[dict[str, Any]]:
    """Return how each deploy, rollback and undeploy of a plugin's versions ended, newest first."""
    return dict_rows(
        connection,
        "SELECT plugin_id, action, outcome AS status, at AS deployed_at, actor, message, details->>'error' AS error"
        " FROM plugin_ledger WHERE namespace_id = %s AND name = %s AND action <> 'publish' AND outcome <> 'queued'"
        " ORDER BY entry DESC",
        [namespace_id, name],
    )


def find_name(connection: Connection, namespace_id: str, slug: str) -> str | None:
    """Return the plugin name a slug means; `-` and `_` are the same in it."""
    found: str | None = scalar(
        connection,
        "SELECT name FROM plugin_versions WHERE namespace_id = %(ns)s AND deleted_at IS NULL"
        " AND replace(name, '-', '_') = replace(%(slug)s, '-', '_') ORDER BY (name = %(slug)s) DESC LIMIT 1",
        {"ns": namespace_id, "slug": slug},
    )
    return found


def find_previous(connection: Connection, namespace_id: str, name: str) -> str | None:
    """Return the plugin id that was active before the one that is, by the ledger; else the next lower version."""
    found: str | None = scalar(
        connection,
        "SELECT l.plugin_id FROM plugin_ledger l JOIN plugin_versions v USING (namespace_id, plugin_id)"
        " WHERE l.namespace_id = %(ns)s AND l.name = %(name)s AND v.deleted_at IS NULL"
        " AND l.outcome IN ('deployed', 'batch_only', 'activated') AND l.plugin_id <> COALESCE((SELECT plugin_id"
        " FROM active_versions WHERE namespace_id = %(ns)s AND name = %(name)s), '') ORDER BY l.entry DESC LIMIT 1",
        {"ns": namespace_id, "name": name},
    )
    if found is None:
        found = scalar(
            connection,
            "SELECT v.plugin_id FROM plugin_versions v JOIN active_versions a"
            " ON a.namespace_id = v.namespace_id AND a.name = v.name JOIN plugin_versions current"
            " ON current.namespace_id = a.namespace_id AND current.plugin_id = a.plugin_id"
            " WHERE v.namespace_id = %s AND v.name = %s AND v.deleted_at IS NULL"
            " AND v.version_key < current.version_key ORDER BY v.version_key DESC LIMIT 1",
            [namespace_id, name],
        )
    return found


def delete_version(connection: Connection, namespace_id: str, name: str, plugin_id: str) -> None:
    """Mark a version deleted; if it was active, the stable one becomes so, else the newest one left."""
    connection.execute(
        "UPDATE plugin_versions SET deleted_at = now() WHERE namespace_id = %s AND plugin_id = %s",
        [namespace_id, plugin_id],
    )
    connection.execute(
        "DELETE FROM active_versions WHERE namespace_id = %s AND plugin_id = %s", [namespace_id, plugin_id]
    )
    connection.execute(
        "INSERT INTO active_versions (namespace_id, name, plugin_id) SELECT namespace_id, name, plugin_id"
        " FROM plugin_versions v WHERE namespace_id = %s AND name = %s AND deleted_at IS NULL"
        # What answers has passed its gate; the newest may never have been tried.
        " ORDER BY EXISTS (SELECT FROM live_deployments l WHERE l.namespace_id = v.namespace_id"
        " AND l.plugin_id = v.plugin_id AND l.role = 'stable') DESC, version_key DESC LIMIT 1 ON CONFLICT DO NOTHING",
        [namespace_id, name],
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
