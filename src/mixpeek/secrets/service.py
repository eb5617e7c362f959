"""The vault: keeping secrets, saying where they may be read, reading them there, and rotating the master key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager

from pydantic import SecretStr

from mixpeek.db.pool import Connection
from mixpeek.errors import AlreadyExists, Conflict, MixpeekError, NotFound
from mixpeek.logging import hide
from mixpeek.secrets import queries
from mixpeek.secrets.crypto import MasterKeys
from mixpeek.secrets.errors import SecretNotGranted, SecretsKeyMissing, SecretsKeyWrong
from mixpeek.secrets.keys import KeyFile, KeySource
from mixpeek.secrets.models import Rotation, SealedSecret, Secret
from mixpeek.tenancy.quotas import QuotaExceeded
from mixpeek.tenancy.service import get_namespace

# Letters, digits, `_`, `-` and `.`, so that a name reads the same in a path, a template and a shell.
NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.\-]{0,99}$"
MOST_VALUE_BYTES = 64 * 1024
MOST_SECRETS = 500
# Once more than a key can change between reading a row and reading the keys.
_ATTEMPTS = 3

Transaction = Callable[[], AbstractContextManager[Connection]]


class Vault:
    """The secrets of a server; each call runs in the caller's transaction, except for rotation."""

    def __init__(self, keys: KeySource) -> None:
        self._keys = keys

    # where it stands -------------------------------------------------------------------------------------------------

    def prepare(self, connection: Connection) -> list[str]:
        """Make the master key if nothing was ever encrypted, and return what is wrong, in words, if anything is."""
        queries.lock(connection)
        if isinstance(self._keys, KeyFile) and not queries.count_by_fingerprint(connection):
            self._keys.create()
        return self.faults(connection)

    def faults(self, connection: Connection) -> list[str]:
        """Return what an operator should know of the master keys; nothing if all is well."""
        stored = queries.count_by_fingerprint(connection)
        try:
            keys = self._keys.read()
        except MixpeekError as error:
            return [f"{error.message}, so {sum(stored.values())} secrets cannot be read. {error.hint}"]
        unknown = keys.unknown(stored)
        if unknown:
            lost = sum(stored[each] for each in unknown)
            return [
                f"{lost} secrets cannot be read: they are encrypted with {', '.join(sorted(unknown))}, which is not"
                f" in {self._keys.place}. {SecretsKeyWrong.hint}"
            ]
        if isinstance(self._keys, KeyFile) and len(keys.texts) > 1:
            return ["A rotation of the secrets' key did not end; run `mixpeek secret rotate-key` again"]
        return []

    # keeping ---------------------------------------------------------------------------------------------------------

    def create(
        self,
        connection: Connection,
        organization_id: str,
        name: str,
        value: SecretStr,
        namespaces: Sequence[str] | None = None,
    ) -> Secret:
        """Keep a new secret.

        Args: namespaces: ids or names of those that may read it; None means every one, none means none.
        Raises: AlreadyExists. NotFound: no such namespace. QuotaExceeded. SecretsKeyMissing, SecretsKeyInvalid.
        """
        hide(value.get_secret_value())
        granted = None if namespaces is None else _ids(connection, organization_id, namespaces)
        queries.lock(connection)
        _check_count(connection, organization_id)
        sealed = self._keys_to_write(connection).seal(organization_id, name, value.get_secret_value())
        if not queries.insert_secret(connection, organization_id, name, sealed, every=granted is None):
            raise AlreadyExists(
                f"There is a secret named {name!r} already",
                hint=f"`mixpeek secret update {name}` gives it a new value; or pick another name",
            )
        queries.add_grants(connection, organization_id, name, granted or ())
        return get_secret(connection, organization_id, name)

    def set_value(self, connection: Connection, organization_id: str, name: str, value: SecretStr) -> Secret:
        """Replace a secret's value; the old one is gone."""
        hide(value.get_secret_value())
        queries.lock(connection)
        get_secret(connection, organization_id, name)
        sealed = self._keys_to_write(connection).seal(organization_id, name, value.get_secret_value())
        queries.set_value(connection, organization_id, name, sealed)
        return get_secret(connection, organization_id, name)

    # reading ---------------------------------------------------------------------------------------------------------

    def reveal(self, connection: Connection, namespace_id: str, name: str) -> str:
        """Return the value of a secret that is granted to a namespace.

        Raises:
            NotFound: the namespace's organization has no such secret.
            SecretNotGranted: it has one, for other namespaces.
            SecretsKeyMissing, SecretsKeyInvalid, SecretsKeyWrong, SecretDamaged: it cannot be decrypted.
        """
        return self._open(lambda: _granted(connection, namespace_id, name))

    def _open(self, find: Callable[[], SealedSecret]) -> str:
        for attempt in range(_ATTEMPTS):
            row = find()
            try:
                value = self._keys.read().open(row.organization_id, row.secret_name, row.sealed)
            except SecretsKeyWrong:
                # A rotation may have come between the row and the keys; both are read again.
                if attempt + 1 == _ATTEMPTS:
                    raise
            else:
                hide(value)
                return value
        raise AssertionError("the last attempt returns or raises")

    # the platform's own ----------------------------------------------------------------------------------------------

    def keep_own(self, connection: Connection, organization_id: str, name: str, value: str) -> None:
        """Keep a value that is the platform's own, in place of the one before; its name has a colon, as no user's has.

        Raises: SecretsKeyMissing, SecretsKeyInvalid.
        """
        queries.lock(connection)
        sealed = self._keys_to_write(connection).seal(organization_id, name, value)
        if not queries.insert_secret(connection, organization_id, name, sealed, every=False):
            queries.set_value(connection, organization_id, name, sealed)

    def reveal_own(self, connection: Connection, organization_id: str, name: str) -> str:
        """Return a value that the platform keeps; raise NotFound, or as `reveal` does."""
        return self._open(lambda: _own(connection, organization_id, name))

    def forget_own(self, connection: Connection, organization_id: str, name: str) -> None:
        """Delete a value that the platform keeps."""
        queries.delete_secret(connection, organization_id, name)

    # rotating --------------------------------------------------------------------------------------------------------

    def rotate_key(self, transaction: Transaction) -> Rotation:
        """Encrypt every secret with another master key: one made now, or the first of those the operator gave.

        A new key is on the disk before anything is encrypted with it, and the old one until nothing is: whenever this
        is cut short, every secret stays readable.

        Raises: SecretsKeyMissing, SecretsKeyInvalid, SecretsKeyWrong, SecretDamaged: nothing was changed.
        """
        is_ours = isinstance(self._keys, KeyFile)
        with transaction() as connection:
            queries.lock(connection)
            keys = self._keys_to_write(connection)
            rows = queries.list_sealed(connection)
            keys = keys.led_by_new({row.key_fingerprint for row in rows}) if is_ours else keys
            others = [row for row in rows if row.key_fingerprint != keys.fingerprints[0]]
            replaced = [(row, keys.reseal(row.secret_name, row.sealed)) for row in others]
            if isinstance(self._keys, KeyFile):
                self._keys.write(keys)
            queries.replace_sealed(connection, replaced)
        self._forget_old_keys(transaction)
        return Rotation(len(replaced), len(rows), self._keys.place, is_new_key=is_ours)

    def _forget_old_keys(self, transaction: Transaction) -> None:
        """Keep the first key alone, once it is the only one in use; another rotation may have begun meanwhile."""
        if not isinstance(self._keys, KeyFile):
            return
        with transaction() as connection:
            queries.lock(connection)
            first = self._keys.read().without_old()
            if not first.unknown(queries.count_by_fingerprint(connection)):
                self._keys.write(first)

    def _keys_to_write(self, connection: Connection) -> MasterKeys:
        """Return the keys, making the first one if nothing was ever encrypted; the caller holds the lock."""
        try:
            return self._keys.read()
        except SecretsKeyMissing:
            if not isinstance(self._keys, KeyFile) or queries.count_by_fingerprint(connection):
                raise
        self._keys.create()
        return self._keys.read()


def get_secret(connection: Connection, organization_id: str, name: str) -> Secret:
    """Return what is known of a secret beside its value; raise NotFound."""
    found = queries.find_secret(connection, organization_id, name)
    if found is None:
        raise NotFound("secret", name, hint="`mixpeek secret list` shows every name")
    return found


def list_names(connection: Connection, namespace_id: str) -> list[str]:
    """Return the names of the secrets that can be read in a namespace, in order."""
    return queries.list_granted_names(connection, namespace_id)


def set_namespaces(connection: Connection, organization_id: str, name: str, namespaces: Sequence[str] | None) -> Secret:
    """Grant a secret to these namespaces, by id or name, and to no other; None means every one."""
    wanted = set() if namespaces is None else _ids(connection, organization_id, namespaces)
    queries.lock(connection)
    now = get_secret(connection, organization_id, name)
    queries.set_every_namespace(connection, organization_id, name, every=namespaces is None)
    queries.remove_grants(connection, organization_id, name, set(now.namespaces) - wanted)
    queries.add_grants(connection, organization_id, name, wanted)
    return get_secret(connection, organization_id, name)


def grant(connection: Connection, organization_id: str, name: str, namespace: str) -> Secret:
    """Let a namespace read a secret; one that every namespace may read stays as it is."""
    queries.lock(connection)
    now = get_secret(connection, organization_id, name)
    granted = _ids(connection, organization_id, [namespace])
    if now.every_namespace or granted <= set(now.namespaces):
        return now
    return set_namespaces(connection, organization_id, name, [*now.namespaces, *granted])


def revoke(connection: Connection, organization_id: str, name: str, namespace: str) -> Secret:
    """Take a secret from a namespace that it was granted to.

    Raises: Conflict: it is granted to every namespace, so no single grant can be taken away.
    """
    queries.lock(connection)
    now = get_secret(connection, organization_id, name)
    taken = _ids(connection, organization_id, [namespace])
    if now.every_namespace:
        raise Conflict(
            f"The secret {name!r} is granted to every namespace",
            hint=f"Name those that keep it: `PUT /v1/organizations/secrets/{name}` with `namespaces`",
        )
    if not taken & set(now.namespaces):
        return now
    return set_namespaces(connection, organization_id, name, sorted(set(now.namespaces) - taken))


def delete_secret(connection: Connection, organization_id: str, name: str) -> Secret:
    """Delete a secret and its grants; return what it was."""
    queries.lock(connection)
    found = get_secret(connection, organization_id, name)
    queries.delete_secret(connection, organization_id, name)
    return found


def _granted(connection: Connection, namespace_id: str, name: str) -> SealedSecret:
    row = queries.find_sealed(connection, namespace_id, name)
    if row is None:
        raise NotFound("secret", name, hint=f"Create it with `mixpeek secret create {name}`")
    if not row.is_granted:
        raise SecretNotGranted(
            f"The secret {name!r} is not granted to the namespace {namespace_id}",
            hint=f"An admin grants it: `mixpeek secret grant {name} {namespace_id}`, or"
            f" `PUT /v1/organizations/secrets/{name}/namespaces/{namespace_id}`",
            secret_name=name,
            namespace_id=namespace_id,
        )
    return row


def _own(connection: Connection, organization_id: str, name: str) -> SealedSecret:
    row = queries.find_own_sealed(connection, organization_id, name)
    if row is None:
        raise NotFound("secret", name, hint="It was deleted with what it belonged to")
    return row


def _ids(connection: Connection, organization_id: str, namespaces: Collection[str]) -> set[str]:
    return {get_namespace(connection, organization_id, each).namespace_id for each in namespaces}


def _check_count(connection: Connection, organization_id: str) -> None:
    held = queries.count_secrets(connection, organization_id)
    if held >= MOST_SECRETS:
        raise QuotaExceeded(
            f"This organization holds {held} secrets, its limit", hint="Delete those that are not needed",
            resource="secrets", current=held, limit=MOST_SECRETS, tier=None,
        )  # fmt: skip
