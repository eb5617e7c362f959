"""SQL over secrets and secret_grants; values come and go encrypted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, scalar
from mixpeek.secrets.crypto import Sealed
from mixpeek.secrets.models import SealedSecret, Secret

METADATA = (
    "SELECT secret_name, every_namespace, created_at, updated_at, value_set_at, ARRAY(SELECT g.namespace_id"
    " FROM secret_grants g WHERE g.organization_id = s.organization_id AND g.secret_name = s.secret_name"
    " ORDER BY g.namespace_id) AS namespaces FROM secrets s"
)
# A name with a colon is no user's to give: the platform keeps values of its own under such, and shows none of them.
OF_USERS = "position(':' IN s.secret_name) = 0"
GRANTED = (
    "(s.every_namespace OR EXISTS (SELECT FROM secret_grants g WHERE g.organization_id = s.organization_id"
    " AND g.secret_name = s.secret_name AND g.namespace_id = ANY(%(namespaces)s)))"
)


def lock(connection: Connection) -> None:
    """Have whoever writes secrets or changes the master keys wait for each other, until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('mixpeek.secrets'))")


def insert_secret(connection: Connection, organization_id: str, name: str, sealed: Sealed, *, every: bool) -> bool:
    """Insert a secret, readable in every namespace or in none yet; return False where the name is taken."""
    done = connection.execute(
        "INSERT INTO secrets (organization_id, secret_name, ciphertext, key_fingerprint, every_namespace)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [organization_id, name, sealed.ciphertext, sealed.key_fingerprint, every],
    )
    return done.rowcount == 1


def find_secret(connection: Connection, organization_id: str, name: str) -> Secret | None:
    return first_row(
        connection,
        Secret,
        f"{METADATA} WHERE organization_id = %s AND secret_name = %s AND {OF_USERS}",
        [organization_id, name],
    )


def count_secrets(connection: Connection, organization_id: str) -> int:
    return int(
        scalar(
            connection, f"SELECT count(*) FROM secrets s WHERE organization_id = %s AND {OF_USERS}", [organization_id]
        )
    )


def list_names(connection: Connection, organization_id: str, namespaces: Collection[str] | None) -> list[str]:
    """Return names in order: of the secrets granted to one of `namespaces`, None means every secret."""
    rows = dict_rows(
        connection,
        f"SELECT secret_name FROM secrets s WHERE organization_id = %(organization)s AND {OF_USERS}"
        f" AND (%(namespaces)s::text[] IS NULL OR {GRANTED}) ORDER BY secret_name",
        {"organization": organization_id, "namespaces": None if namespaces is None else list(namespaces)},
    )
    return [row["secret_name"] for row in rows]


def list_granted_names(connection: Connection, namespace_id: str) -> list[str]:
    rows = dict_rows(
        connection,
        "SELECT s.secret_name FROM namespaces n JOIN secrets s USING (organization_id)"
        f" WHERE n.namespace_id = %(namespace)s AND {GRANTED} ORDER BY s.secret_name",
        {"namespace": namespace_id, "namespaces": [namespace_id]},
    )
    return [row["secret_name"] for row in rows]


def find_sealed(connection: Connection, namespace_id: str, name: str) -> SealedSecret | None:
    """Find a secret of the organization that the namespace belongs to, granted or not."""
    return first_row(
        connection,
        SealedSecret,
        f"SELECT s.organization_id, s.secret_name, s.ciphertext, s.key_fingerprint, {GRANTED} AS is_granted"
        " FROM namespaces n JOIN secrets s USING (organization_id)"
        f" WHERE n.namespace_id = %(namespace)s AND s.secret_name = %(name)s AND {OF_USERS}",
        {"namespace": namespace_id, "namespaces": [namespace_id], "name": name},
    )


def find_own_sealed(connection: Connection, organization_id: str, name: str) -> SealedSecret | None:
    """Find a value that the platform keeps of its own accord."""
    return first_row(
        connection,
        SealedSecret,
        "SELECT organization_id, secret_name, ciphertext, key_fingerprint FROM secrets"
        " WHERE organization_id = %s AND secret_name = %s",
        [organization_id, name],
    )


def list_sealed(connection: Connection) -> list[SealedSecret]:
    """Return every value of every organization, encrypted."""
    return all_rows(
        connection,
        SealedSecret,
        "SELECT organization_id, secret_name, ciphertext, key_fingerprint FROM secrets"
        " ORDER BY organization_id, secret_name",
    )


def count_by_fingerprint(connection: Connection) -> dict[str, int]:
    """Count secrets by the fingerprint of the master key that they are encrypted with."""
    rows = dict_rows(connection, "SELECT key_fingerprint, count(*)::int AS n FROM secrets GROUP BY key_fingerprint")
    return {row["key_fingerprint"]: row["n"] for row in rows}


def set_value(connection: Connection, organization_id: str, name: str, sealed: Sealed) -> None:
    connection.execute(
        "UPDATE secrets SET ciphertext = %s, key_fingerprint = %s, value_set_at = clock_timestamp(),"
        " updated_at = now() WHERE organization_id = %s AND secret_name = %s",
        [sealed.ciphertext, sealed.key_fingerprint, organization_id, name],
    )


def replace_sealed(connection: Connection, replaced: Sequence[tuple[SealedSecret, Sealed]]) -> None:
    """Store the same values encrypted with another key."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE secrets SET ciphertext = %s, key_fingerprint = %s WHERE organization_id = %s AND secret_name = %s",
            [(new.ciphertext, new.key_fingerprint, old.organization_id, old.secret_name) for old, new in replaced],
        )


def set_every_namespace(connection: Connection, organization_id: str, name: str, *, every: bool) -> None:
    """Note that the grants have changed, and whether they are to every namespace, those made later included."""
    connection.execute(
        "UPDATE secrets SET every_namespace = %s, updated_at = now() WHERE organization_id = %s AND secret_name = %s",
        [every, organization_id, name],
    )


def add_grants(connection: Connection, organization_id: str, name: str, namespaces: Collection[str]) -> None:
    connection.execute(
        "INSERT INTO secret_grants (organization_id, secret_name, namespace_id)"
        " SELECT %s, %s, unnest(%s::text[]) ON CONFLICT DO NOTHING",
        [organization_id, name, list(namespaces)],
    )


def remove_grants(connection: Connection, organization_id: str, name: str, namespaces: Collection[str]) -> None:
    connection.execute(
        "DELETE FROM secret_grants WHERE organization_id = %s AND secret_name = %s AND namespace_id = ANY(%s)",
        [organization_id, name, list(namespaces)],
    )


def delete_secret(connection: Connection, organization_id: str, name: str) -> None:
    connection.execute("DELETE FROM secrets WHERE organization_id = %s AND secret_name = %s", [organization_id, name])
