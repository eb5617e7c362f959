"""SQL over organizations, api_keys and namespaces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from mixpeek.db.listing import Found, Listing, list_rows
from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, scalar
from mixpeek.filters.query import Query
from mixpeek.filters.surface import Column, Surface
from mixpeek.tenancy.models import ApiKey, Namespace, Principal

# Told of every key that stops working and every namespace that goes, so that no process remembers it.
CHANNEL = "mixpeek_tenancy"
COLUMNS = (
    "namespace_id, organization_id, namespace_name, namespace_type, description, feature_extractors,"
    " payload_indexes, auto_create_indexes, host_uid, created_at, updated_at"
)
LISTING = Listing(
    f"SELECT {COLUMNS} FROM namespaces",
    Surface(
        columns={
            **{name: Column(name) for name in ("namespace_id", "namespace_name", "namespace_type", "description")},
            "auto_create_indexes": Column("auto_create_indexes"),
            **{name: Column(name, "json") for name in ("feature_extractors", "payload_indexes")},
            **{name: Column(name, "time") for name in ("created_at", "updated_at")},
        },
        searched=("namespace_id", "namespace_name", "description"),
    ),
    key=(("namespace_id", "text"),),
)

KEY = (
    "SELECT key_id, organization_id, name, description, key_prefix, permissions, namespaces,"
    " CASE WHEN status = 'active' AND expires_at <= now() THEN 'expired' ELSE status END AS status,"
    " created_by, created_at, expires_at, last_used_at, rotated_at, revoked_at FROM api_keys"
)


def find_principal(connection: Connection, key_hash: str) -> Principal | None:
    """Find who holds a key that is neither revoked nor expired, and note, once a minute, that it was used."""
    rows = dict_rows(
        connection,
        "SELECT organization_id, key_id, name, permissions, namespaces,"
        " COALESCE(last_used_at < now() - interval '1 minute', true) AS use_is_news FROM api_keys"
        " WHERE key_hash = %s AND status = 'active' AND (expires_at IS NULL OR expires_at > now())",
        [key_hash],
    )
    if not rows:
        return None
    row = rows[0]
    if row["use_is_news"]:
        connection.execute("UPDATE api_keys SET last_used_at = now() WHERE key_id = %s", [row["key_id"]])
    scope = None if row["namespaces"] is None else frozenset(row["namespaces"])
    return Principal(row["organization_id"], row["key_id"], row["name"], tuple(row["permissions"]), scope)


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
        " SELECT %s, %s, %s, %s, %s, '{admin}'::text[] WHERE NOT EXISTS (SELECT FROM retired_keys WHERE key_hash = %s)"
        " ON CONFLICT (key_hash) DO NOTHING",
        [key_id, organization_id, name, key_hash, prefix, key_hash],
    )


def lock_keys(connection: Connection) -> None:
    """Serialise what depends on which keys exist until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('mixpeek.keys'))")


def insert_key(connection: Connection, key: dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO api_keys (key_id, organization_id, name, description, key_hash, key_prefix, permissions,"
        " namespaces, created_by, expires_at) VALUES (%(key_id)s, %(organization_id)s, %(name)s, %(description)s,"
        " %(key_hash)s, %(key_prefix)s, %(permissions)s, %(namespaces)s, %(created_by)s, %(expires_at)s)",
        key,
    )


def find_keys(connection: Connection, organization_id: str, identifier: str) -> list[ApiKey]:
    """Return the key of this id, else the keys of this name that are not revoked."""
    found = all_rows(
        connection,
        ApiKey,
        f"{KEY} WHERE organization_id = %s AND (key_id = %s OR (name = %s AND status <> 'revoked'))"
        " ORDER BY created_at",
        [organization_id, identifier, identifier],
    )
    return [key for key in found if key.key_id == identifier] or found


def list_keys(
    connection: Connection, organization_id: str, limit: int, after: str, status: str | None = None
) -> list[ApiKey]:
    return all_rows(
        connection,
        ApiKey,
        f"SELECT * FROM ({KEY}) keys WHERE organization_id = %(org)s AND key_id > %(after)s"
        " AND (%(status)s::text IS NULL OR status = %(status)s) ORDER BY key_id LIMIT %(limit)s",
        {"org": organization_id, "after": after, "status": status, "limit": limit},
    )


def count_admin_keys(connection: Connection, organization_id: str, *, without: str) -> int:
    """Count the keys, other than one, that can manage the organization today."""
    found = scalar(
        connection,
        "SELECT count(*) FROM api_keys WHERE organization_id = %s AND key_id <> %s AND status = 'active'"
        " AND (expires_at IS NULL OR expires_at > now()) AND 'admin' = ANY(permissions) AND namespaces IS NULL",
        [organization_id, without],
    )
    return int(found)


def revoke_key(connection: Connection, key_id: str) -> None:
    connection.execute(
        "UPDATE api_keys SET status = 'revoked', revoked_at = now() WHERE key_id = %s AND status <> 'revoked'", [key_id]
    )
    notify(connection)


def replace_key_hash(connection: Connection, key_id: str, key_hash: str, prefix: str) -> None:
    """Give a key a new secret; the old one is remembered as retired."""
    connection.execute(
        "INSERT INTO retired_keys (key_hash, key_id) SELECT key_hash, key_id FROM api_keys WHERE key_id = %s", [key_id]
    )
    connection.execute(
        "UPDATE api_keys SET key_hash = %s, key_prefix = %s, rotated_at = now() WHERE key_id = %s",
        [key_hash, prefix, key_id],
    )
    notify(connection)


def notify(connection: Connection) -> None:
    """Have every process forget keys and namespaces, once the transaction has committed."""
    connection.execute(f"NOTIFY {CHANNEL}")


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
    connection: Connection, organization_id: str, query: Query, scope: Iterable[str] | None = None
) -> Found[Namespace]:
    """List namespaces, by id unless sorted; `scope` holds the only ones to list, None means all."""
    return list_rows(
        connection,
        Namespace,
        LISTING,
        query,
        "organization_id = %(organization)s AND namespace_type NOT IN ('builtin', 'library')"
        " AND (%(scope)s::text[] IS NULL OR namespace_id = ANY(%(scope)s))",
        {"organization": organization_id, "scope": None if scope is None else list(scope)},
    )


def update_namespace(connection: Connection, namespace_id: str, fields: dict[str, Any]) -> bool:
    """Set columns of a namespace, `payload_indexes` among them as JSON; False when its new name is taken."""
    settings = ", ".join(f"{name} = %({name})s" for name in fields)
    values = {name: Jsonb(value) if name == "payload_indexes" else value for name, value in fields.items()}
    try:
        with connection.transaction():
            connection.execute(
                f"UPDATE namespaces SET {settings}, updated_at = now() WHERE namespace_id = %(namespace_id)s",
                {**values, "namespace_id": namespace_id},
            )
    except UniqueViolation:
        return False
    # A name may mean another namespace now, or none.
    notify(connection)
    return True


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
    notify(connection)
