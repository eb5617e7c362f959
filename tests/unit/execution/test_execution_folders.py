"""Folders that travel by the hash of their content."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mixpeek.errors import PlatformError
from mixpeek.execution.remote.folders import Digests, FolderCache, digest_of, pieces_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "plugin"
    (made / "inner").mkdir(parents=True)
    (made / "manifest.py").write_text("x = 1\n")
    (made / "inner" / "tool").write_text("#!/bin/sh\n")
    (made / "inner" / "tool").chmod(0o700)
    (made / "link").symlink_to("manifest.py")
    return made


def deliver(folder: Path, cache: FolderCache) -> str:
    digest, pieces = digest_of(folder), list(pieces_of(folder))
    assert not cache.hold(digest)
    for place, piece in enumerate(pieces):
        cache.take(digest, piece, is_last=place == len(pieces) - 1)
    return digest


def test_a_folder_arrives_as_it_was_and_can_be_read_by_hosts(folder: Path, tmp_path: Path) -> None:
    cache = FolderCache(tmp_path / "cache")

    digest = deliver(folder, cache)

    arrived = cache.place(digest)
    assert digest_of(arrived) == digest
    assert (arrived / "link").readlink() == Path("manifest.py")
    assert stat.S_IMODE((arrived / "inner" / "tool").stat().st_mode) & 0o555 == 0o555
    assert stat.S_IMODE((arrived / "manifest.py").stat().st_mode) & 0o444 == 0o444


def test_another_process_of_the_machine_finds_what_was_delivered(folder: Path, tmp_path: Path) -> None:
    digest = deliver(folder, FolderCache(tmp_path / "cache"))

    assert FolderCache(tmp_path / "cache").hold(digest)


@pytest.mark.parametrize("change", ["content", "name", "mode", "link"])
def test_a_hash_is_of_everything_in_the_folder(folder: Path, change: str) -> None:
    before = digest_of(folder)

    if change == "content":
        (folder / "manifest.py").write_text("x = 2\n")
    elif change == "name":
        (folder / "manifest.py").rename(folder / "manifests.py")
    elif change == "mode":
        (folder / "manifest.py").chmod(0o755)
    else:
        (folder / "link").unlink()
        (folder / "link").symlink_to("inner")

    assert digest_of(folder) != before


def test_a_folder_that_did_not_arrive_whole_is_refused(folder: Path, tmp_path: Path) -> None:
    cache = FolderCache(tmp_path / "cache")

    with pytest.raises(PlatformError, match="did not arrive whole"):
        for piece in pieces_of(folder):
            cache.take("0" * 64, piece, is_last=True)

    assert not cache.hold("0" * 64)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f".lock-{'0' * 64}"]


def test_a_folder_in_use_is_kept_and_one_that_is_not_goes(folder: Path, tmp_path: Path) -> None:
    cache = FolderCache(tmp_path / "cache")
    held = deliver(folder, cache)
    unused = tmp_path / "cache" / ("1" * 64)
    unused.mkdir()
    (tmp_path / "cache" / f".lock-{'1' * 64}").touch()
    for lock in (tmp_path / "cache").glob(".lock-*"):
        os.utime(lock, (0, 0))

    cache.clear()

    assert cache.place(held).is_dir()
    assert not unused.exists()


def test_a_folder_made_anew_is_hashed_again(folder: Path) -> None:
    digests = Digests()
    before = digests.of(folder)
    (folder / "more.py").write_text("")

    assert digests.of(folder) != before
