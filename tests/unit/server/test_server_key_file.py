"""The keys of a data dir, kept in a file of their own and put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from mixpeek.errors import Conflict, InvalidRequest
from mixpeek.server.datadir import DataDir
from mixpeek.server.key_file import read_keys, restore_keys, write_key_file


def data_dir(folder: Path, **keys: str) -> DataDir:
    directory = DataDir(folder)
    for name, text in keys.items():
        (folder / f"{name}.key").write_text(text)
    return directory


def test_keys_come_back_as_they_were(tmp_path: Path) -> None:
    first = data_dir(tmp_path / "first", admin="sk_1\n", signing="ab\n", secrets="one\ntwo\n")
    write_key_file(tmp_path / "keys.json", read_keys(first), read_keys(first))

    second = data_dir(tmp_path / "second")
    restore_keys(tmp_path / "keys.json", second)
    restore_keys(tmp_path / "keys.json", second)

    assert read_keys(second) == read_keys(first)
    assert (tmp_path / "second" / "secrets.key").stat().st_mode & 0o777 == 0o600


def test_a_rotation_in_between_leaves_out_no_key_of_secrets(tmp_path: Path) -> None:
    write_key_file(
        tmp_path / "keys.json",
        {"secrets.key": ["old"], "admin.key": ["sk_1"]},
        {"secrets.key": ["new", "old"], "admin.key": ["sk_2"]},
    )
    restored = data_dir(tmp_path / "restored")

    restore_keys(tmp_path / "keys.json", restored)

    assert read_keys(restored) == {"secrets.key": ["new", "old"], "admin.key": ["sk_2"]}


def test_other_keys_are_never_replaced(tmp_path: Path) -> None:
    write_key_file(tmp_path / "keys.json", {"admin.key": ["sk_1"], "secrets.key": ["one"]}, {})
    other = data_dir(tmp_path / "other", secrets="two\n")

    with pytest.raises(Conflict, match="another key"):
        restore_keys(tmp_path / "keys.json", other)

    assert read_keys(other) == {"secrets.key": ["two"]}


@pytest.mark.parametrize("text", ["", "[1]", '{"secrets.key": 5}'])
def test_a_file_without_keys_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)

    with pytest.raises(InvalidRequest, match="cannot be read as a file of keys"):
        restore_keys(tmp_path / "keys.json", data_dir(tmp_path / "data"))
