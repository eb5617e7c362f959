"""Where master keys are kept: the file is this user's alone, whole or absent, and never replaced by a first key."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from mixpeek.secrets.crypto import MasterKeys, new_key
from mixpeek.secrets.errors import SecretsKeyInvalid, SecretsKeyMissing
from mixpeek.secrets.keys import GivenKeys, KeyFile, key_source


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.key"


def test_a_first_key_is_made_once_for_this_user_alone(path: Path) -> None:
    file = KeyFile(path)

    file.create()
    first = file.read()
    file.create()

    assert file.read() == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secrets.key"]


def test_replaced_keys_are_for_this_user_alone(path: Path) -> None:
    file, keys = KeyFile(path), MasterKeys((new_key(), new_key()))
    file.create()

    file.write(keys)

    assert file.read() == keys
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_a_killed_process_left_is_in_nobodys_way(path: Path) -> None:
    leftover = path.with_name("secrets.key.building")
    leftover.write_text("half a k")
    file = KeyFile(path)

    file.create()

    assert file.read().fingerprints
    assert not leftover.exists()


def test_a_link_in_the_place_of_the_unfinished_file_is_not_followed(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    path.with_name("secrets.key.building").symlink_to(elsewhere)

    KeyFile(path).create()

    assert not elsewhere.exists()


def test_no_file_is_missing_and_a_file_without_a_key_is_invalid(path: Path) -> None:
    with pytest.raises(SecretsKeyMissing):
        KeyFile(path).read()
    for content in (b"", b"\xff\xfe", b"no key"):
        path.write_bytes(content)
        with pytest.raises(SecretsKeyInvalid):
            KeyFile(path).read()


def test_the_setting_beats_the_file_and_is_in_no_repr(tmp_path: Path) -> None:
    key = new_key()

    given = key_source(SecretStr(key), tmp_path)

    assert isinstance(given, GivenKeys)
    assert given.read().texts == (key,)
    assert key not in repr(given)
    assert isinstance(key_source(None, tmp_path), KeyFile)
