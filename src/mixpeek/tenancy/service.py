"""Authenticating keys and managing namespaces."""

from __future__ import annotations

import hashlib
from typing import Any

from mixpeek.db.pool import Connection, Database, new_id
from mixpeek.errors import AlreadyExists, Conflict, NotFound, Unauthorized
from mixpeek.tenancy import queries
from mixpeek.tenancy.memory import Memory
from mixpeek.tenancy.models import BUILTIN_NAMESPACE, Namespace, Principal

# Namespaces of the platform's own, which no request can address.
HIDDEN_TYPES = frozenset({"builtin", "library"})


def hash_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def visible_prefix(key: str) -> str:
    """Return the part of a key that is stored and shown: ten characters, fewer of a key too short to spare them."""
    return key[: min(10, len(key) // 3)]


def key_in(authorization: str | None) -> str | None:
    """Return the key of an `Authorization: Bearer <key>` header, None if it holds none."""
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


class Keyring:
    """Turns an API key into its principal, remembering the answer for a second at most."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._principals: Memory[str, Principal] = Memory(self._look_up)
        # As `recall`, for a key whose hash is at hand.
        self.recall_hash = self._principals.recall

    def authenticate(self, authorization: str | None) -> Principal:
        """Return who sent `Authorization: Bearer <key>`.

        Raises: Unauthorized: no header, another scheme, or a key that is unknown, revoked or expired.
        """
        key = key_in(authorization)
        if key is None:
            raise Unauthorized("No API key was sent")
        principal = self._principals.find(hash_key(key))
        if principal is None:
            raise Unauthorized("This API key is not known here, or was revoked")
        return principal

    def recall(self, authorization: str | None) -> Principal | None:
        """Return who sent a header that was authenticated within the last second, without asking the database."""
        key = key_in(authorization)
        return self._principals.recall(hash_key(key)) if key else None

    def forget(self) -> None:
        """Remember nobody, so that a change of keys holds at once in this process."""
        self._principals.forget()

    def _look_up(self, key_hash: str) -> Principal | None:
        with self._database.transaction() as connection:
            return queries.find_principal(connection, key_hash)


class Addresses:
    """Turns the id or name of an organization's namespace into its id, remembering the answer for a second at most."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: Memory[tuple[str, str], str] = Memory(self._look_up)

    def recall(self, caller: Principal, identifier: str) -> str | None:
        """Return the id of a namespace that the caller sees and that was looked up within the last second."""
        found = self._ids.recall((caller.organization_id, identifier))
        return found if found is not None and caller.sees(found) else None

    def find(self, caller: Principal, identifier: str) -> str:
        """Return the id of a namespace; one outside the caller's scope reads as one that does not exist.

        Raises: NotFound.
        """
        found = self._ids.find((caller.organization_id, identifier))
        if found is None or not caller.sees(found):
            raise _no_namespace(identifier)
        return found

    def forget(self) -> None:
        """Remember none, so that a deleted namespace is gone at once in this process."""
        self._ids.forget()

    def _look_up(self, address: tuple[str, str]) -> str | None:
        with self._database.transaction() as connection:
            found = queries.find_namespace(connection, *address)
        return None if found is None or found.namespace_type in HIDDEN_TYPES else found.namespace_id


def bootstrap(connection: Connection, admin_key: str) -> str:
    """Make sure the organization, its admin key and the built-in namespace exist; return the organization id."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('mixpeek.bootstrap'))")
    organization_id = queries.find_first_organization(connection)
    if organization_id is None:
        organization_id = new_id("org")
        queries.insert_organization(connection, organization_id, "default")
        queries.insert_namespace(
            connection,
            {
                "namespace_id": BUILTIN_NAMESPACE,
                "organization_id": organization_id,
                "namespace_name": BUILTIN_NAMESPACE,
                "namespace_type": "builtin",
                "description": "Extractors shipped with the platform",
                "feature_extractors": [],
                "payload_indexes": [],
                "auto_create_indexes": False,
            },
        )
    queries.upsert_api_key(
        connection, new_id("key"), organization_id, "admin", hash_key(admin_key), visible_prefix(admin_key)
    )
    return organization_id


def create_namespace(connection: Connection, organization_id: str, fields: dict[str, Any]) -> Namespace:
    namespace_id = new_id("ns")
    if not queries.insert_namespace(
        connection, {**fields, "namespace_id": namespace_id, "organization_id": organization_id}
    ):
        raise AlreadyExists(
            f"There is a namespace named {fields['namespace_name']!r} already", hint="Use it, or pick another name"
        )
    return get_namespace(connection, organization_id, namespace_id)


def get_namespace(connection: Connection, organization_id: str, identifier: str) -> Namespace:
    """Return the namespace with this id or name."""
    namespace = queries.find_namespace(connection, organization_id, identifier)
    if namespace is None or namespace.namespace_type in HIDDEN_TYPES:
        raise _no_namespace(identifier)
    return namespace


def get_visible_namespace(connection: Connection, caller: Principal, identifier: str) -> Namespace:
    """Return the namespace with this id or name; one outside the caller's scope reads as one that does not exist."""
    namespace = get_namespace(connection, caller.organization_id, identifier)
    if not caller.sees(namespace.namespace_id):
        raise _no_namespace(identifier)
    return namespace


def _no_namespace(identifier: str) -> NotFound:
    return NotFound("namespace", identifier, hint="`mixpeek namespace list` shows those this key can see")


def update_namespace(connection: Connection, namespace: Namespace, fields: dict[str, Any]) -> Namespace:
    """Change what is given of a namespace.

    Raises: AlreadyExists: another one has the new name.
    """
    if fields and not queries.update_namespace(connection, namespace.namespace_id, fields):
        raise AlreadyExists(
            f"There is a namespace named {fields['namespace_name']!r} already", hint="Pick another name"
        )
    return get_namespace(connection, namespace.organization_id, namespace.namespace_id)


def delete_namespace(connection: Connection, namespace: Namespace, *, force: bool) -> None:
    """Delete a namespace and all it holds; without `force`, refuse while collections live in it."""
    counts = queries.count_contents(connection, namespace.namespace_id)
    if counts["collection_count"] and not force:
        raise Conflict(
            f"{namespace.namespace_name!r} still has {counts['collection_count']} collections",
            hint="Delete them first, or send `force=true` to delete everything in it",
            **counts,
        )
    queries.delete_namespace(connection, namespace.namespace_id)
