"""Managing API keys: creating, finding, rotating and revoking them, and the way back in when the admin key is lost.

Only the hash of a key is stored; the key itself is returned once, by what made it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from mixpeek.db.pool import Connection, new_id
from mixpeek.errors import AlreadyExists, Conflict, InvalidRequest, NotFound
from mixpeek.tenancy import queries
from mixpeek.tenancy.models import PERMISSIONS, ApiKey
from mixpeek.tenancy.service import get_namespace, hash_key, visible_prefix

ADMIN = "admin"


def create_key(
    connection: Connection,
    organization_id: str,
    name: str,
    permissions: Sequence[str],
    *,
    created_by: str,
    namespaces: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    description: str | None = None,
) -> tuple[ApiKey, str]:
    """Create a key and return it with its secret.

    Args:
        namespaces: ids or names of the only ones it may see; None means all.
    Raises: AlreadyExists: a key of this name is in use. NotFound: no such namespace. InvalidRequest: the rest.
    """
    if not permissions or not set(permissions) <= set(PERMISSIONS):
        raise InvalidRequest(f"A key needs permissions among {', '.join(PERMISSIONS)}", hint="Name at least one")
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise InvalidRequest("expires_at is in the past", hint="Name a time to come, or leave it out")
    if not name.isprintable() or not name.strip():
        raise InvalidRequest("A key's name is printable text", hint="Pick a name such as `ci-publisher`")
    queries.lock_keys(connection)
    if queries.find_keys(connection, organization_id, name):
        raise AlreadyExists(f"There is a key named {name!r} already", hint="Rotate or revoke it, or pick another name")
    scope = None
    if namespaces is not None:
        scope = sorted({get_namespace(connection, organization_id, each).namespace_id for each in namespaces})
        if not scope:
            raise InvalidRequest("`namespaces` is empty", hint="Name at least one, or leave it out to mean all")
    secret = new_secret()
    key_id = new_id("key")
    queries.insert_key(
        connection,
        {
            "key_id": key_id,
            "organization_id": organization_id,
            "name": name,
            "description": description,
            "key_hash": hash_key(secret),
            "key_prefix": visible_prefix(secret),
            "permissions": sorted(set(permissions), key=PERMISSIONS.index),
            "namespaces": scope,
            "created_by": created_by,
            "expires_at": expires_at,
        },
    )
    return get_key(connection, organization_id, key_id), secret


def get_key(connection: Connection, organization_id: str, identifier: str) -> ApiKey:
    """Return the key of this id or name; a revoked key is found by its id only."""
    found = queries.find_keys(connection, organization_id, identifier)
    if not found:
        raise NotFound("API key", identifier, hint="`mixpeek keys list` on the server's machine shows every key")
    if len(found) > 1:
        raise Conflict(
            f"{len(found)} keys are named {identifier!r}", hint=f"Use an id: {', '.join(key.key_id for key in found)}"
        )
    return found[0]


def revoke_key(connection: Connection, organization_id: str, identifier: str) -> ApiKey:
    """End a key; it stays listed as revoked. Revoking twice changes nothing.

    Raises: Conflict: it is the last key that can manage the organization.
    """
    queries.lock_keys(connection)
    key = get_key(connection, organization_id, identifier)
    manages = ADMIN in key.permissions and key.namespaces is None and key.status == "active"
    if manages and not queries.count_admin_keys(connection, organization_id, without=key.key_id):
        raise Conflict(
            f"{key.name!r} is the only admin key left",
            hint="Rotate it or create another one first; `mixpeek keys reset`, on the server's machine, replaces it",
        )
    queries.revoke_key(connection, key.key_id)
    return get_key(connection, organization_id, key.key_id)


def rotate_key(connection: Connection, organization_id: str, identifier: str) -> tuple[ApiKey, str]:
    """Give a key a new secret and return it; the old one ends, everything else stays.

    Raises: Conflict: the key is revoked or expired.
    """
    queries.lock_keys(connection)
    key = get_key(connection, organization_id, identifier)
    if key.status != "active":
        raise Conflict(f"{key.name!r} is {key.status}", hint="Create a new key instead")
    secret = new_secret()
    queries.replace_key_hash(connection, key.key_id, hash_key(secret), visible_prefix(secret))
    return get_key(connection, organization_id, key.key_id), secret


def reset_admin_key(connection: Connection, organization_id: str, *, created_by: str) -> tuple[ApiKey, str]:
    """Revoke every key named `admin` and create a new one: the way back in for whoever owns the machine."""
    queries.lock_keys(connection)
    for key in queries.find_keys(connection, organization_id, ADMIN):
        queries.revoke_key(connection, key.key_id)
    return create_key(connection, organization_id, ADMIN, [ADMIN], created_by=created_by)


def new_secret() -> str:
    return f"sk_{secrets.token_urlsafe(32)}"
