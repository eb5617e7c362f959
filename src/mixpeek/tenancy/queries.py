"""SQL over organizations, api_keys and namespaces."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, scalar
from mixpeek.tenancy.models import Namespace, Principal

COLUMNS = (
    "namespace_id, organization_id, namespace_name, namespace_type, description, feature_extractors,"
    " payload_indexes, auto_create_indexes, host_uid, created_at, updated_at"
)


def find_principal(connection: Connection, key_hash: str) -> Principal | None:
    rows = dict_rows(
        connection,
        "SELECT organization_id, key_id, name, permissions FROM api_keys"
        " WHERE key_hash = %s AND status = 'active' AND (expires_at IS NULL OR expires_at > now())",
        [key_hash],
    )
    if not rows:
        return None
    row = rows[0]
    return Principal(row["organization_id"], row["key_id"], row["name"], tuple(row["permissions"]))


def insert_organization(connection: Connection, organization_id: str, name: str) -> None:
    connection.execute("INSERT INTO organizations (organization_id, name) VALUES (%s, %s)", [organization_id, name])


def find_first_organization(connection: Connection) -> str | None:
    found: str | None = scalar(connection, "SELECT organization_id FROM organizations ORDER BY created_at LIMIT 1")
    return found


def upsert_api_key(
    connection: Connection, key_id: str, organization_id: str, name: str, key_hash: str, prefix: str
) -> None:
    connection.execute(
        "INSERT INTO api_keys (key_id, organization_id, name, key_hash, key_prefix, permissions)"
        " VALUES (%s, %s, %s, %s, %s, '{admin}') ON CONFLICT (key_hash) DO NOTHING",
        [key_id, organization_id, name, key_hash, prefix],
    )


def insert_namespace(connection: Connection, namespace: dict[str, Any]) -> bool:
    """Insert a namespace; False when the organization has one of this name."""
    values = {**namespace, "feature_extractors": Jsonb(namespace["feature_extractors"])}
    values["payload_indexes"] = Jsonb(namespace["payload_indexes"])
    cursor = connection.execute(
        "INSERT INTO namespaces (namespace_id, organization_id, namespace_name, namespace_type, description,"
        " feature_extractors, payload_indexes, auto_create_indexes) VALUES (%(namespace_id)s, %(organization_id)s,"
        " %(namespace_name)s, %(namespace_type)s, %(description)s, %(feature_extractors)s, %(payload_indexes)s,"
        " %(auto_create_indexes)s) ON CONFLICT DO NOTHING",
        values,
    )
    return cursor.rowcount == 1


def find_namespace(connection: Connection, organization_id: str, identifier: str) -> Namespace | None:
    """Find a namespace by id or name; an id wins over a name that happens to look like one."""
    return first_row(
        connection,
        Namespace,
        f"SELECT {COLUMNS} FROM namespaces WHERE organization_id = %s AND %s IN (namespace_id, namespace_name)"
        " ORDER BY (namespace_id = %s) DESC LIMIT 1",
        [organization_id, identifier, identifier],
    )


def list_namespaces(
    connection: Connection, organization_id: str, limit: int, after: str, offset: int = 0
) -> list[Namespace]:
    return all_rows(
        connection,
        Namespace,
        f"SELECT {COLUMNS} FROM namespaces WHERE organization_id = %s AND namespace_id > %s"
        " AND namespace_id <> 'builtin' ORDER BY namespace_id LIMIT %s OFFSET %s",
        [organization_id, after, limit, offset],
    )


def count_contents(connection: Connection, namespace_id: str) -> dict[str, int]:
    """Count what a namespace holds: documents, buckets, collections, objects."""
    return dict_rows(
        connection,
        "SELECT (SELECT count(*) FROM buckets WHERE namespace_id = %(ns)s) AS bucket_count,"
        " (SELECT count(*) FROM collections WHERE namespace_id = %(ns)s) AS collection_count,"
        " (SELECT count(*) FROM objects o JOIN buckets USING (bucket_id) WHERE buckets.namespace_id = %(ns)s)"
        " AS object_count,"
        " (SELECT count(*) FROM document_keys k JOIN collections c ON c.collection_id = k.collection_id"
        " AND c.live_generation = k.generation WHERE c.namespace_id = %(ns)s) AS document_count",
        {"ns": namespace_id},
    )[0]


def delete_namespace(connection: Connection, namespace_id: str) -> None:
    connection.execute("DELETE FROM namespaces WHERE namespace_id = %s", [namespace_id])
