"""API keys in a real database: what is stored, who is found, and how a key ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from mixpeek.db.pool import Connection, Database, dict_rows, scalar
from mixpeek.errors import AlreadyExists, Conflict, InvalidRequest, NotFound, Unauthorized
from mixpeek.tenancy import keys, queries
from mixpeek.tenancy.models import ApiKey, Principal
from mixpeek.tenancy.service import Addresses, Keyring, bootstrap, create_namespace, delete_namespace, hash_key

NAMESPACE = {
    "namespace_name": "of_keys",
    "namespace_type": "standard",
    "description": None,
    "feature_extractors": [],
    "payload_indexes": [],
    "auto_create_indexes": False,
}


def make(connection: Connection, organization_id: str, name: str = "ci", **fields: object) -> tuple[ApiKey, str]:
    permissions = fields.pop("permissions", ["read", "write"])
    return keys.create_key(connection, organization_id, name, permissions, created_by="admin", **fields)  # type: ignore[arg-type]


def is_known(connection: Connection, secret: str) -> bool:
    return queries.find_principal(connection, hash_key(secret)) is not None


def test_only_the_hash_and_ten_characters_of_a_key_are_stored(connection: Connection, organization_id: str) -> None:
    made, secret = make(connection, organization_id)

    stored = dict_rows(connection, "SELECT * FROM api_keys WHERE key_id = %s", [made.key_id])[0]
    assert made.key_prefix == secret[:10]
    assert stored["key_hash"] == hash_key(secret)
    assert secret not in str(stored)


def test_a_scope_may_name_namespaces_and_is_kept_by_id(connection: Connection, organization_id: str) -> None:
    namespace = create_namespace(connection, organization_id, NAMESPACE)

    made, secret = make(connection, organization_id, namespaces=["of_keys", namespace.namespace_id])

    assert made.namespaces == [namespace.namespace_id]
    found = queries.find_principal(connection, hash_key(secret))
    assert found is not None
    assert found.namespaces == frozenset({namespace.namespace_id})


@pytest.mark.parametrize("namespaces", [["nowhere"], ["builtin"]])
def test_a_scope_names_namespaces_that_exist(
    connection: Connection, organization_id: str, namespaces: list[str]
) -> None:
    with pytest.raises(NotFound):
        make(connection, organization_id, namespaces=namespaces)


@pytest.mark.parametrize(
    "fields",
    [
        {"permissions": []},
        {"permissions": ["dance"]},
        {"namespaces": []},
        {"expires_at": datetime.now(UTC) - timedelta(seconds=1)},
        {"name": " "},
        {"name": "a\nb"},
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    connection: Connection, organization_id: str, fields: dict[str, object]
) -> None:
    with pytest.raises(InvalidRequest):
        make(connection, organization_id, **fields)  # type: ignore[arg-type]


def test_two_keys_in_use_do_not_share_a_name(connection: Connection, organization_id: str) -> None:
    first, _ = make(connection, organization_id)

    with pytest.raises(AlreadyExists):
        make(connection, organization_id)
    keys.revoke_key(connection, organization_id, first.key_id)
    second, _ = make(connection, organization_id)

    assert second.key_id != first.key_id
    assert keys.get_key(connection, organization_id, "ci") == second


def test_a_revoked_key_is_unknown_but_listed(connection: Connection, organization_id: str) -> None:
    made, secret = make(connection, organization_id)

    revoked = keys.revoke_key(connection, organization_id, "ci")
    again = keys.revoke_key(connection, organization_id, made.key_id)

    assert not is_known(connection, secret)
    assert revoked.status == "revoked"
    assert again == revoked
    assert made.key_id in {key.key_id for key in queries.list_keys(connection, organization_id, 100, "", "revoked")}


def test_an_expired_key_is_unknown_and_says_so(connection: Connection, organization_id: str) -> None:
    made, secret = make(connection, organization_id, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert is_known(connection, secret)

    connection.execute("UPDATE api_keys SET expires_at = now() WHERE key_id = %s", [made.key_id])

    assert not is_known(connection, secret)
    assert keys.get_key(connection, organization_id, "ci").status == "expired"
    with pytest.raises(Conflict):
        keys.rotate_key(connection, organization_id, "ci")


def test_rotating_changes_the_secret_and_nothing_else(connection: Connection, organization_id: str) -> None:
    made, old = make(connection, organization_id, description="publishes")

    rotated, new = keys.rotate_key(connection, organization_id, "ci")

    assert not is_known(connection, old)
    assert is_known(connection, new)
    assert (rotated.key_id, rotated.permissions, rotated.description) == (made.key_id, made.permissions, "publishes")
    assert rotated.rotated_at is not None


def test_a_data_dir_that_holds_a_rotated_admin_key_does_not_bring_it_back(
    connection: Connection, organization_id: str, admin_key: str
) -> None:
    keys.rotate_key(connection, organization_id, "admin")

    bootstrap(connection, admin_key)

    assert not is_known(connection, admin_key)


def test_the_last_admin_key_cannot_be_revoked(connection: Connection, organization_id: str, admin_key: str) -> None:
    namespace = create_namespace(connection, organization_id, NAMESPACE)
    make(connection, organization_id, "scoped", permissions=["admin"], namespaces=[namespace.namespace_id])

    with pytest.raises(Conflict):
        keys.revoke_key(connection, organization_id, "admin")
    make(connection, organization_id, "second", permissions=["admin"])
    keys.revoke_key(connection, organization_id, "admin")

    assert not is_known(connection, admin_key)


def test_resetting_ends_every_admin_key_of_that_name_and_makes_a_new_one(
    connection: Connection, organization_id: str, admin_key: str
) -> None:
    made, secret = keys.reset_admin_key(connection, organization_id, created_by="root")

    assert is_known(connection, secret)
    assert not is_known(connection, admin_key)
    assert (made.name, made.permissions, made.namespaces) == ("admin", ["admin"], None)


def test_use_is_noted_once_a_minute(connection: Connection, organization_id: str) -> None:
    made, secret = make(connection, organization_id)
    changes = "SELECT xmin::text || '/' || cmin::text FROM api_keys WHERE key_id = %s"

    assert is_known(connection, secret)
    first = scalar(connection, changes, [made.key_id])
    assert is_known(connection, secret)
    second = scalar(connection, changes, [made.key_id])
    connection.execute(
        "UPDATE api_keys SET last_used_at = now() - interval '2 minutes' WHERE key_id = %s", [made.key_id]
    )
    assert is_known(connection, secret)

    assert first == second
    used_at = keys.get_key(connection, organization_id, "ci").last_used_at
    assert used_at is not None
    assert datetime.now(UTC) - used_at < timedelta(minutes=1)


def test_a_keyring_asks_once_a_second_and_forgets_when_told(database: Database, organization_id: str) -> None:
    keyring = Keyring(database)
    with database.transaction() as own:
        made, secret = make(own, organization_id, "of_the_keyring")
    header = f"Bearer {secret}"

    assert keyring.recall(header) is None
    assert keyring.authenticate(header).key_id == made.key_id
    assert keyring.recall(header) == keyring.authenticate(header)
    with database.transaction() as own:
        keys.revoke_key(own, organization_id, made.key_id)
    keyring.forget()

    with pytest.raises(Unauthorized):
        keyring.authenticate(header)


def test_every_process_is_told_of_a_key_or_a_namespace_that_ends(database: Database, organization_id: str) -> None:
    with database.transaction() as own:
        revoked, _ = make(own, organization_id, "soon_revoked")
        rotated, _ = make(own, organization_id, "soon_rotated")
        namespace = create_namespace(own, organization_id, {**NAMESPACE, "namespace_name": "soon_gone"})
    ends: list[Callable[[Connection], object]] = [
        lambda own: keys.revoke_key(own, organization_id, revoked.key_id),
        lambda own: keys.rotate_key(own, organization_id, rotated.key_id),
        lambda own: delete_namespace(own, namespace, force=False),
    ]

    heard = []
    with psycopg.connect(database.url, autocommit=True) as listening:
        listening.execute(f"LISTEN {queries.CHANNEL}")
        for end in ends:
            with database.transaction() as own:
                end(own)
            heard += [notice.channel for notice in listening.notifies(timeout=10, stop_after=1)]

    assert heard == [queries.CHANNEL] * 3


def test_a_namespaces_id_is_remembered_for_those_who_see_it_only(database: Database, organization_id: str) -> None:
    addresses = Addresses(database)
    with database.transaction() as own:
        namespace = create_namespace(own, organization_id, {**NAMESPACE, "namespace_name": "addressed"})
    anyone = Principal(organization_id, "key_a", "any", ("read",))
    stranger = Principal(organization_id, "key_b", "other", ("read",), frozenset({"ns_other"}))

    assert addresses.recall(anyone, "addressed") is None
    assert addresses.find(anyone, "addressed") == namespace.namespace_id
    assert addresses.recall(anyone, "addressed") == namespace.namespace_id
    assert addresses.recall(stranger, "addressed") is None
    with pytest.raises(NotFound):
        addresses.find(stranger, "addressed")
    for hidden in ("builtin", "nowhere"):
        with pytest.raises(NotFound):
            addresses.find(anyone, hidden)
