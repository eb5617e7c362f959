"""The vault on a real database: who may read what, what is stored, and what becomes of it without its key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from mixpeek.audit.models import Event, Filters
from mixpeek.audit.queries import list_events
from mixpeek.db.pool import Connection, Database, dict_rows
from mixpeek.errors import AlreadyExists, Conflict, NotFound
from mixpeek.secrets import queries, service
from mixpeek.secrets.crypto import MasterKeys, new_key
from mixpeek.secrets.errors import (
    SecretDamaged,
    SecretNotGranted,
    SecretsKeyInvalid,
    SecretsKeyMissing,
    SecretsKeyWrong,
)
from mixpeek.secrets.keys import GivenKeys, KeyFile
from mixpeek.secrets.models import Secret
from mixpeek.secrets.service import Vault
from mixpeek.tenancy.queries import delete_namespace
from mixpeek.tenancy.quotas import QuotaExceeded
from mixpeek.tenancy.service import bootstrap, create_namespace

VALUE = "plain words of a secret"


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A transaction that is undone after the test."""
    with database.transaction() as open_one:
        yield open_one
        open_one.rollback()


@pytest.fixture
def organization_id(connection: Connection) -> str:
    return bootstrap(connection, "sk_test_of_the_vault")


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "secrets.key")


@pytest.fixture
def vault(file: KeyFile) -> Vault:
    return Vault(file)


def make_namespace(connection: Connection, organization_id: str, name: str = "granted") -> str:
    fields = {
        "namespace_name": name,
        "namespace_type": "standard",
        "description": None,
        "feature_extractors": [],
        "payload_indexes": [],
        "auto_create_indexes": False,
    }
    return create_namespace(connection, organization_id, fields).namespace_id


def keep(vault: Vault, connection: Connection, organization_id: str, name: str = "weather", **fields: Any) -> Secret:
    return vault.create(connection, organization_id, name, SecretStr(VALUE), **fields)


def told(connection: Connection, organization_id: str, last: int) -> list[Event]:
    return list_events(connection, organization_id, Filters(resource_type="secret"), last, None)[::-1]


# grants --------------------------------------------------------------------------------------------------------------


def test_without_grants_named_every_namespace_reads_also_one_made_later(
    vault: Vault, connection: Connection, organization_id: str
) -> None:
    made = keep(vault, connection, organization_id)
    later = make_namespace(connection, organization_id)

    assert made.wire()["namespaces"] is None
    assert vault.reveal(connection, later, "weather") == VALUE
    assert service.list_names(connection, later) == ["weather"]


def test_only_the_namespaces_named_read(vault: Vault, connection: Connection, organization_id: str) -> None:
    one, other = (make_namespace(connection, organization_id, name) for name in ("one", "other"))

    made = keep(vault, connection, organization_id, namespaces=["one", one])

    assert made.wire()["namespaces"] == [one]
    assert vault.reveal(connection, one, "weather") == VALUE
    assert service.list_names(connection, other) == []
    with pytest.raises(SecretNotGranted) as refused:
        vault.reveal(connection, other, "weather")
    assert refused.value.status == 403
    assert refused.value.details == {"secret_name": "weather", "namespace_id": other}
    assert f"mixpeek secret grant weather {other}" in str(refused.value.hint)
    assert f"PUT /v1/organizations/secrets/weather/namespaces/{other}" in str(refused.value.hint)


def test_named_for_no_namespace_nobody_reads(vault: Vault, connection: Connection, organization_id: str) -> None:
    one = make_namespace(connection, organization_id)

    keep(vault, connection, organization_id, namespaces=[])

    with pytest.raises(SecretNotGranted):
        vault.reveal(connection, one, "weather")


def test_grants_come_and_go(vault: Vault, connection: Connection, organization_id: str) -> None:
    one, other = (make_namespace(connection, organization_id, name) for name in ("one", "other"))
    keep(vault, connection, organization_id, namespaces=[])

    def readers() -> list[str] | None:
        found: list[str] | None = service.get_secret(connection, organization_id, "weather").wire()["namespaces"]
        return found

    service.grant(connection, organization_id, "weather", "one")
    service.grant(connection, organization_id, "weather", one)
    assert readers() == [one]
    service.set_namespaces(connection, organization_id, "weather", [other])
    assert readers() == [other]
    service.revoke(connection, organization_id, "weather", one)
    assert readers() == [other]
    service.revoke(connection, organization_id, "weather", other)
    assert readers() == []
    service.set_namespaces(connection, organization_id, "weather", None)
    service.grant(connection, organization_id, "weather", one)
    assert readers() is None
    with pytest.raises(Conflict):
        service.revoke(connection, organization_id, "weather", one)


def test_a_deleted_namespace_takes_its_grants_along(vault: Vault, connection: Connection, organization_id: str) -> None:
    one, other = (make_namespace(connection, organization_id, name) for name in ("one", "other"))
    keep(vault, connection, organization_id, namespaces=[one, other])

    delete_namespace(connection, one)

    assert service.get_secret(connection, organization_id, "weather").namespaces == [other]


def test_a_namespace_of_another_organization_reads_nothing(
    vault: Vault, connection: Connection, organization_id: str
) -> None:
    connection.execute("INSERT INTO organizations (organization_id, name) VALUES ('org_other', 'other')")
    foreign = make_namespace(connection, "org_other")
    keep(vault, connection, organization_id)

    assert service.list_names(connection, foreign) == []
    with pytest.raises(NotFound):
        vault.reveal(connection, foreign, "weather")
    with pytest.raises(NotFound):
        service.grant(connection, organization_id, "weather", foreign)


# keeping -------------------------------------------------------------------------------------------------------------


def test_a_name_is_taken_once_and_free_again_after_deletion(
    vault: Vault, connection: Connection, organization_id: str
) -> None:
    keep(vault, connection, organization_id)

    with pytest.raises(AlreadyExists):
        keep(vault, connection, organization_id)
    service.delete_secret(connection, organization_id, "weather")

    assert keep(vault, connection, organization_id).secret_name == "weather"


def test_a_new_value_takes_the_place_of_the_old_one(vault: Vault, connection: Connection, organization_id: str) -> None:
    namespace = make_namespace(connection, organization_id)
    before = keep(vault, connection, organization_id)

    after = vault.set_value(connection, organization_id, "weather", SecretStr("other words"))

    assert vault.reveal(connection, namespace, "weather") == "other words"
    assert after.value_set_at > before.value_set_at


@pytest.mark.parametrize("act", ["set_value", "set_namespaces", "grant", "revoke", "delete", "get", "reveal"])
def test_a_name_that_does_not_exist_is_not_found(
    vault: Vault, connection: Connection, organization_id: str, act: str
) -> None:
    namespace = make_namespace(connection, organization_id)

    with pytest.raises(NotFound, match="absent"):
        match act:
            case "set_value":
                vault.set_value(connection, organization_id, "absent", SecretStr(VALUE))
            case "set_namespaces":
                service.set_namespaces(connection, organization_id, "absent", None)
            case "grant":
                service.grant(connection, organization_id, "absent", namespace)
            case "revoke":
                service.revoke(connection, organization_id, "absent", namespace)
            case "delete":
                service.delete_secret(connection, organization_id, "absent")
            case "get":
                service.get_secret(connection, organization_id, "absent")
            case _:
                vault.reveal(connection, namespace, "absent")


def test_an_organization_keeps_so_many_secrets_and_no_more(
    vault: Vault, connection: Connection, organization_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_SECRETS", 2)
    for name in ("one", "two"):
        keep(vault, connection, organization_id, name)

    with pytest.raises(QuotaExceeded) as refused:
        keep(vault, connection, organization_id, "three")

    assert refused.value.details["limit"] == 2


def test_lists_take_one_statement_however_many_secrets_there_are(
    vault: Vault, connection: Connection, organization_id: str
) -> None:
    one = make_namespace(connection, organization_id)
    counted: list[str] = []

    class Counting(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            counted.append(str(query))
            return super().execute(query, *arguments, **options)

    def statements() -> int:
        counted.clear()
        connection.cursor_factory = Counting
        try:
            queries.list_names(connection, organization_id, None)
            queries.list_names(connection, organization_id, {one})
            service.list_names(connection, one)
            service.get_secret(connection, organization_id, "name_0")
        finally:
            connection.cursor_factory = psycopg.Cursor
        return len(counted)

    keep(vault, connection, organization_id, "name_0", namespaces=[one])
    few = statements()
    for number in range(1, 30):
        keep(vault, connection, organization_id, f"name_{number}", namespaces=[one])

    assert (few, statements()) == (4, 4)
    assert len(queries.list_names(connection, organization_id, {one})) == 30


# what is stored ------------------------------------------------------------------------------------------------------


def test_neither_rows_nor_audit_events_hold_a_value_or_what_it_is_encrypted_as(
    vault: Vault, connection: Connection, organization_id: str
) -> None:
    one = make_namespace(connection, organization_id)
    keep(vault, connection, organization_id, namespaces=[])
    vault.set_value(connection, organization_id, "weather", SecretStr(f"{VALUE} again"))
    service.grant(connection, organization_id, "weather", one)
    service.revoke(connection, organization_id, "weather", one)
    service.set_namespaces(connection, organization_id, "weather", None)
    row = dict_rows(connection, "SELECT * FROM secrets WHERE secret_name = 'weather'")[0]
    service.delete_secret(connection, organization_id, "weather")

    events = told(connection, organization_id, last=6)

    assert [event.action for event in events] == ["create", "update", "grant", "revoke", "update", "delete"]
    assert [event.resource_id for event in events] == ["weather"] * 6
    assert [event.namespace_id for event in events[2:4]] == [one, one]
    assert set(events[1].changes["after"]) == {"value_set_at"}
    assert VALUE not in str(row)
    assert not any(text in str(events) for text in (VALUE, row["ciphertext"], "ciphertext"))


def test_ciphertext_copied_onto_another_row_is_not_read_there(
    vault: Vault, connection: Connection, organization_id: str
) -> None:
    namespace = make_namespace(connection, organization_id)
    keep(vault, connection, organization_id, "precious", namespaces=[])
    keep(vault, connection, organization_id, "cheap")
    connection.execute(
        "UPDATE secrets SET ciphertext = (SELECT ciphertext FROM secrets WHERE secret_name = 'precious')"
        " WHERE secret_name = 'cheap'"
    )

    with pytest.raises(SecretDamaged, match="cheap"):
        vault.reveal(connection, namespace, "cheap")


# the master key ------------------------------------------------------------------------------------------------------


def test_the_first_key_is_made_at_start_and_kept_at_the_next(
    vault: Vault, connection: Connection, file: KeyFile
) -> None:
    assert vault.prepare(connection) == []
    first = file.read()

    assert vault.prepare(connection) == []
    assert file.read() == first


def test_without_the_key_of_stored_secrets_none_is_made_and_everything_says_so(
    vault: Vault, connection: Connection, organization_id: str, tmp_path: Path
) -> None:
    namespace = make_namespace(connection, organization_id)
    keep(vault, connection, organization_id)
    lost = Vault(KeyFile(tmp_path / "elsewhere" / "secrets.key"))

    [fault] = lost.prepare(connection)

    assert "so 1 secrets cannot be read" in fault
    with pytest.raises(SecretsKeyMissing):
        lost.reveal(connection, namespace, "weather")
    with pytest.raises(SecretsKeyMissing):
        keep(lost, connection, organization_id, "another")
    with pytest.raises(SecretsKeyMissing):
        lost.set_value(connection, organization_id, "weather", SecretStr(VALUE))
    assert not (tmp_path / "elsewhere").exists()
    assert vault.reveal(connection, namespace, "weather") == VALUE


def test_with_another_key_old_secrets_are_named_unreadable_and_new_ones_work(
    vault: Vault, connection: Connection, organization_id: str, file: KeyFile
) -> None:
    namespace = make_namespace(connection, organization_id)
    keep(vault, connection, organization_id)
    other = Vault(GivenKeys(SecretStr(new_key())))

    [fault] = other.prepare(connection)
    keep(other, connection, organization_id, "another")

    assert file.read().fingerprints[0] in fault
    assert "MIXPEEK_SECRETS_KEY" in fault
    with pytest.raises(SecretsKeyWrong):
        other.reveal(connection, namespace, "weather")
    assert other.reveal(connection, namespace, "another") == VALUE


def test_a_setting_that_is_no_key_is_named_and_not_shown(connection: Connection, organization_id: str) -> None:
    broken = Vault(GivenKeys(SecretStr("this-is-no-key")))

    [fault] = broken.prepare(connection)

    assert "MIXPEEK_SECRETS_KEY" in fault
    assert "this-is-no-key" not in fault
    with pytest.raises(SecretsKeyInvalid):
        keep(broken, connection, organization_id)


def test_keys_of_an_unfinished_rotation_read_everything_and_ask_to_end_it(
    vault: Vault, connection: Connection, organization_id: str, file: KeyFile
) -> None:
    namespace = make_namespace(connection, organization_id)
    keep(vault, connection, organization_id)
    file.write(MasterKeys((new_key(), *file.read().texts)))

    [fault] = vault.prepare(connection)

    assert "rotate-key" in fault
    assert vault.reveal(connection, namespace, "weather") == VALUE
