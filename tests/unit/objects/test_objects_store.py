"""The object store on a local directory: whole writes, sizes, hashes and limits."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mixpeek.errors import NotFound
from mixpeek.objects.store import ObjectStore, ObjectTooLarge


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(None, tmp_path / "objects")


def test_what_was_put_is_read_and_its_hash_is_returned(store: ObjectStore) -> None:
    stored = store.put("archives/a", [b"some ", b"bytes"], limit_bytes=100)

    assert b"".join(store.read("archives/a")) == b"some bytes"
    assert (stored.size_bytes, stored.sha256) == (10, hashlib.sha256(b"some bytes").hexdigest())


def test_a_second_put_replaces_the_first(store: ObjectStore) -> None:
    store.put("k", [b"first"], limit_bytes=100)
    store.put("k", [b"second"], limit_bytes=100)

    assert b"".join(store.read("k")) == b"second"


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    assert store.put("k", [], limit_bytes=0).size_bytes == 0
    assert store.exists("k")
    assert b"".join(store.read("k")) == b""


def test_a_put_over_its_limit_keeps_nothing(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(ObjectTooLarge, match="limit of 8 bytes"):
        store.put("k", [b"12345", b"6789"], limit_bytes=8)

    assert not store.exists("k")
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []


def test_a_put_over_its_limit_leaves_what_was_there(store: ObjectStore) -> None:
    store.put("k", [b"kept"], limit_bytes=8)

    with pytest.raises(ObjectTooLarge):
        store.put("k", [b"123456789"], limit_bytes=8)

    assert b"".join(store.read("k")) == b"kept"


def test_what_is_not_there_is_not_found_and_a_deleted_object_is_gone(store: ObjectStore) -> None:
    store.put("k", [b"x"], limit_bytes=8)
    store.delete("k")

    assert not store.exists("k")
    with pytest.raises(NotFound):
        list(store.read("k"))


def test_the_directory_is_closed_to_others(store: ObjectStore, tmp_path: Path) -> None:
    assert (tmp_path / "objects").stat().st_mode & 0o077 == 0
