"""The object store on a local directory: whole writes, sizes, hashes and limits."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mixpeek.errors import NotFound
from mixpeek.objects.errors import ObjectStoreAway, ObjectTooLarge
from mixpeek.objects.store import MARK, ObjectStore


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
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file() and path.name != MARK] == []


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


def test_a_folder_that_is_away_is_told_from_an_object_that_is_not_there(store: ObjectStore, tmp_path: Path) -> None:
    store.put("k", [b"kept"], limit_bytes=8)
    folder, elsewhere = tmp_path / "objects", tmp_path / "elsewhere"
    asks: list[Callable[[], object]] = [
        lambda: store.size("k"),
        lambda: store.exists("k"),
        lambda: list(store.read("k")),
        lambda: store.list(""),
        lambda: store.folders(""),
        lambda: store.delete("k"),
        lambda: store.put("other", [b"x"], limit_bytes=8),
        lambda: asyncio.run(store.size_async("k")),
        lambda: asyncio.run(store.read_range_async("k", 0, 4)),
        store.check,
    ]

    folder.rename(elsewhere)
    for ask in asks:
        with pytest.raises(ObjectStoreAway, match=MARK):
            ask()
    was_made_anew = folder.exists()
    elsewhere.rename(folder)

    assert not was_made_anew
    store.check()
    assert b"".join(store.read("k")) == b"kept"


def test_an_empty_folder_in_its_place_is_away_too_and_not_begun_in(tmp_path: Path) -> None:
    folder, begun = tmp_path / "objects", tmp_path / "objects.begun"
    ObjectStore(None, folder, begun=begun).put("k", [b"kept"], limit_bytes=8)
    folder.rename(tmp_path / "elsewhere")
    folder.mkdir()

    again = ObjectStore(None, folder, begun=begun)

    with pytest.raises(ObjectStoreAway, match=MARK):
        again.exists("k")
    folder.rmdir()
    (tmp_path / "elsewhere").rename(folder)
    assert again.exists("k")


def test_another_store_than_before_is_begun_in(tmp_path: Path) -> None:
    begun = tmp_path / "objects.begun"
    ObjectStore(None, tmp_path / "first", begun=begun)

    second = ObjectStore(f"file://{tmp_path}/second", tmp_path / "first", begun=begun)

    second.put("k", [b"x"], limit_bytes=8)
    assert (tmp_path / "second" / "k").read_bytes() == b"x"


def test_what_was_uploaded_is_copied_within_its_limit_and_deleted_beyond_it(store: ObjectStore) -> None:
    store.put("k", [b"12345678"], limit_bytes=8)

    with store.arrived("k", limit_bytes=8) as copy:
        assert (copy.size_bytes, copy.has_etag(f'"{hashlib.sha256(b"12345678").hexdigest()}"')) == (8, True)
    with pytest.raises(ObjectTooLarge, match="it was deleted"), store.arrived("k", limit_bytes=7):
        pass

    assert not store.exists("k")


def test_a_folder_signs_nothing(store: ObjectStore) -> None:
    assert store.presign("GET", "k", 60) is None


def test_the_directory_is_closed_to_others(store: ObjectStore, tmp_path: Path) -> None:
    assert (tmp_path / "objects").stat().st_mode & 0o077 == 0
