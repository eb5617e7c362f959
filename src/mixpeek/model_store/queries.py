"""SQL over model_uploads, namespace_models and version_models."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, insert_new, scalar
from mixpeek.model_store.models import ModelUpload, NamespaceModel, Pin

UPLOAD = "upload_id, namespace_id, name, version, model_format, declared, object_key, state, result, expires_at"
MODEL = (
    "namespace_id, model_id, name, version, model_format, declared, archive_sha256, archive_key, size_bytes,"
    " content_hash, deployed_at, author, created_at, updated_at"
)


def insert_upload(connection: Connection, upload: dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO model_uploads (upload_id, namespace_id, name, version, model_format, declared, object_key,"
        " expires_at) VALUES (%(upload_id)s, %(namespace_id)s, %(name)s, %(version)s, %(model_format)s, %(declared)s,"
        " %(object_key)s, %(expires_at)s)",
        {**upload, "declared": Jsonb(upload["declared"])},
    )


def find_upload(connection: Connection, namespace_id: str, upload_id: str, *, lock: bool = False) -> ModelUpload | None:
    return first_row(
        connection,
        ModelUpload,
        f"SELECT {UPLOAD} FROM model_uploads WHERE namespace_id = %s AND upload_id = %s{' FOR UPDATE' if lock else ''}",
        [namespace_id, upload_id],
    )


def finish_upload(connection: Connection, upload_id: str, result: dict[str, Any]) -> None:
    connection.execute(
        "UPDATE model_uploads SET state = 'confirmed', result = %s WHERE upload_id = %s", [Jsonb(result), upload_id]
    )


def is_taken(connection: Connection, namespace_id: str, model_id: str) -> bool:
    """Tell whether the id was ever used; a deleted model keeps it."""
    found = dict_rows(
        connection,
        "SELECT 1 AS one FROM namespace_models WHERE namespace_id = %s AND model_id = %s",
        [namespace_id, model_id],
    )
    return bool(found)


def insert_model(connection: Connection, model: dict[str, Any]) -> bool:
    """Insert a model; False when its id is taken."""
    return insert_new(connection, "namespace_models", model, json=("declared",))


def find_model(connection: Connection, namespace_id: str, model_id: str) -> NamespaceModel | None:
    return first_row(
        connection,
        NamespaceModel,
        f"SELECT {MODEL} FROM namespace_models WHERE namespace_id = %s AND model_id = %s AND deleted_at IS NULL",
        [namespace_id, model_id],
    )


def list_models(connection: Connection, namespace_id: str, limit: int, offset: int) -> list[NamespaceModel]:
    """Return the models by id."""
    return all_rows(
        connection,
        NamespaceModel,
        f"SELECT {MODEL} FROM namespace_models WHERE namespace_id = %s AND deleted_at IS NULL"
        " ORDER BY model_id LIMIT %s OFFSET %s",
        [namespace_id, limit, offset],
    )


def list_deployed(connection: Connection, namespace_id: str) -> list[NamespaceModel]:
    return all_rows(
        connection,
        NamespaceModel,
        f"SELECT {MODEL} FROM namespace_models WHERE namespace_id = %s AND deleted_at IS NULL"
        " AND deployed_at IS NOT NULL ORDER BY model_id",
        [namespace_id],
    )


def count_models(connection: Connection, namespace_id: str) -> int:
    found = scalar(
        connection,
        "SELECT count(*) FROM namespace_models WHERE namespace_id = %s AND deleted_at IS NULL",
        [namespace_id],
    )
    return int(found)


def lock_namespace(connection: Connection, namespace_id: str) -> None:
    """Serialise what decides about the number of models of one namespace until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('mixpeek.models'), hashtext(%s))", [namespace_id])


def mark_deployed(connection: Connection, namespace_id: str, model_id: str) -> None:
    connection.execute(
        "UPDATE namespace_models SET deployed_at = COALESCE(deployed_at, now()), updated_at = now()"
        " WHERE namespace_id = %s AND model_id = %s",
        [namespace_id, model_id],
    )


def mark_deleted(connection: Connection, namespace_id: str, model_id: str) -> None:
    connection.execute(
        "UPDATE namespace_models SET deleted_at = now(), deployed_at = NULL WHERE namespace_id = %s AND model_id = %s",
        [namespace_id, model_id],
    )


def list_live_users(connection: Connection, namespace_id: str, reference: str) -> list[str]:
    """Return the live plugin versions that declare a model in their manifest."""
    rows = dict_rows(
        connection,
        "SELECT l.plugin_id FROM live_deployments l JOIN plugin_versions v USING (namespace_id, plugin_id)"
        " WHERE l.namespace_id = %s AND v.manifest->'models' ? %s ORDER BY l.plugin_id",
        [namespace_id, reference],
    )
    return [row["plugin_id"] for row in rows]


def list_pins(connection: Connection, namespace_id: str, plugin_id: str) -> list[Pin]:
    return all_rows(
        connection,
        Pin,
        "SELECT name, revision, content_hash FROM version_models WHERE namespace_id = %s AND plugin_id = %s",
        [namespace_id, plugin_id],
    )


def insert_pin(connection: Connection, namespace_id: str, plugin_id: str, pin: Pin) -> None:
    """Record what a version's model was resolved to, unless it is recorded."""
    connection.execute(
        "INSERT INTO version_models (namespace_id, plugin_id, name, revision, content_hash)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [namespace_id, plugin_id, pin.name, pin.revision, pin.content_hash],
    )


def list_hashes_in_use(connection: Connection) -> set[str]:
    """Return the contents that deployed models and live plugin versions need."""
    rows = dict_rows(
        connection,
        "SELECT content_hash FROM namespace_models WHERE deployed_at IS NOT NULL AND deleted_at IS NULL"
        " UNION SELECT m.content_hash FROM version_models m JOIN live_deployments USING (namespace_id, plugin_id)"
        " UNION SELECT n.content_hash FROM live_deployments l JOIN plugin_versions v USING (namespace_id, plugin_id)"
        " JOIN namespace_models n ON n.namespace_id = v.namespace_id AND v.manifest->'models' ?"
        " ('namespace://' || n.model_id)",
    )
    return {row["content_hash"] for row in rows}
