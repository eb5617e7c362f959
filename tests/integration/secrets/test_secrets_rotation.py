"""Rotating the master key: whatever happens on the way, every secret stays readable."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from mixpeek.db.pool import Connection, Database, dict_rows
from mixpeek.secrets import queries, service
from mixpeek.secrets.crypto import MasterKeys, new_key
from mixpeek.secrets.errors import SecretDamaged, SecretsKeyWrong
from mixpeek.secrets.keys import GivenKeys, KeyFile
from mixpeek.secrets.service import Vault
from mixpeek.tenancy.service import bootstrap, create_namespace

NAMES = ("one", "two", "three")
NAMESPACE = {
    "namespace_type": "standard",
    "description": None,
    "feature_extractors": [],
    "payload_indexes": [],
    "auto_create_indexes": False,
}


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "secrets.key")


@pytest.fixture
def namespace_id(database: Database, file: KeyFile, tmp_path: Path) -> Iterator[str]:
    """A namespace whose organization has the secrets of `NAMES`, all encrypted with the key in `file`."""
    with database.transaction() as connection:
        organization_id = bootstrap(connection, "sk_test_of_rotations")
        fields = {**NAMESPACE, "namespace_name": f"rotating_{tmp_path.name}"}
        made = create_namespace(connection, organization_id, fields).namespace_id
        for name in NAMES:
            Vault(file).create(connection, organization_id, name, SecretStr(f"value of {name}"))
    yield made
    with database.transaction() as connection:
        connection.execute("DELETE FROM secrets")


def values(connection: Connection, vault: Vault, namespace_id: str) -> dict[str, str]:
    return {name: vault.reveal(connection, namespace_id, name) for name in service.list_names(connection, namespace_id)}


def is_whole(database: Database, vault: Vault, namespace_id: str) -> bool:
    with database.transaction() as connection:
        return values(connection, vault, namespace_id) == {name: f"value of {name}" for name in NAMES}


def test_a_rotated_file_holds_one_new_key_that_every_row_is_encrypted_with(
    database: Database, file: KeyFile, namespace_id: str
) -> None:
    old = file.read()

    rotation = Vault(file).rotate_key(database.transaction)

    new = file.read()
    assert len(new.texts) == 1
    assert new != old
    assert (rotation.reencrypted, rotation.total, rotation.is_new_key) == (3, 3, True)
    with database.transaction() as connection:
        assert queries.count_by_fingerprint(connection) == {new.fingerprints[0]: 3}
    assert is_whole(database, Vault(file), namespace_id)


def test_a_rotation_says_in_the_audit_log_which_key_each_secret_went_to(
    database: Database, file: KeyFile, namespace_id: str
) -> None:
    Vault(file).rotate_key(database.transaction)

    with database.transaction() as connection:
        events = dict_rows(
            connection,
            "SELECT resource_id, changes FROM audit_events WHERE resource_type = 'secret' ORDER BY entry DESC LIMIT 3",
        )
    assert {event["resource_id"] for event in events} == set(NAMES)
    assert {event["changes"]["after"]["key_fingerprint"] for event in events} == set(file.read().fingerprints)


def test_given_keys_are_the_operators_the_first_takes_over_and_the_rest_may_go(
    database: Database, file: KeyFile, namespace_id: str
) -> None:
    first, before = new_key(), file.read()
    both = Vault(GivenKeys(SecretStr(f"{first},{before.texts[0]}")))

    rotation = both.rotate_key(database.transaction)
    again = both.rotate_key(database.transaction)

    assert (rotation.reencrypted, rotation.total, rotation.is_new_key) == (3, 3, False)
    assert (again.reencrypted, again.total) == (0, 3)
    assert file.read() == before
    assert is_whole(database, Vault(GivenKeys(SecretStr(first))), namespace_id)


def test_a_rotation_that_cannot_read_everything_changes_nothing(
    database: Database, file: KeyFile, namespace_id: str
) -> None:
    own = file.read()
    with pytest.raises(SecretsKeyWrong):
        Vault(GivenKeys(SecretStr(new_key()))).rotate_key(database.transaction)
    with database.transaction() as connection:
        connection.execute("UPDATE secrets SET ciphertext = ciphertext || 'x' WHERE secret_name = 'two'")
    with pytest.raises(SecretDamaged, match="two"):
        Vault(file).rotate_key(database.transaction)

    assert file.read() == own
    with database.transaction() as connection:
        assert Vault(file).reveal(connection, namespace_id, "one") == "value of one"


def test_after_an_unfinished_rotation_the_next_one_leaves_one_key(
    database: Database, file: KeyFile, namespace_id: str
) -> None:
    file.write(MasterKeys((new_key(), *file.read().texts)))

    Vault(file).rotate_key(database.transaction)

    assert len(file.read().texts) == 1
    assert is_whole(database, Vault(file), namespace_id)


def test_killed_at_any_step_every_secret_stays_readable(database: Database, namespace_id: str, tmp_path: Path) -> None:
    script = Path(__file__).with_name("rotations_cut_short.py")

    ran = subprocess.run(
        [sys.executable, script, database.url, tmp_path / "secrets.key", namespace_id],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 30
    assert len(KeyFile(tmp_path / "secrets.key").read().texts) == 1


def test_rotations_writes_and_reads_at_once_lose_nothing(database: Database, file: KeyFile, namespace_id: str) -> None:
    done = threading.Event()

    def rotate() -> None:
        for _ in range(5):
            Vault(file).rotate_key(database.transaction)

    def write() -> None:
        while not done.is_set():
            with database.transaction() as connection:
                organization_id = bootstrap(connection, "sk_test_of_rotations")
                Vault(file).set_value(connection, organization_id, "two", SecretStr("value of two"))

    def read() -> int:
        count = 0
        while not done.is_set() or not count:
            assert is_whole(database, Vault(file), namespace_id)
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(write), pool.submit(read)]
        rotating = [pool.submit(rotate) for _ in range(2)]
        try:
            for each in rotating:
                each.result(60)
        finally:
            done.set()
        for each in others:
            each.result(60)

    assert len(file.read().texts) == 1
    assert is_whole(database, Vault(file), namespace_id)
