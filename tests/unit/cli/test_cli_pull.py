"""`mixpeek plugin pull`: the files come back byte for byte, and nothing is overwritten unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from factories.commands import Command, Ran
from factories.local_server import Answer, LocalServer
from mixpeek.inspection.archive import describe_folder
from mixpeek.inspection.pack import pack_directory

BASE = "/v1/namespaces/ns_1/plugins"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "published" / "small_one"
    (folder / "processors").mkdir(parents=True)
    (folder / "manifest.py").write_bytes(b"metadata = {}\r\n\tx")
    (folder / "processors" / "weights.bin").write_bytes(bytes(range(256)))
    return folder


@pytest.fixture
def keeping(server: LocalServer, published: Path) -> LocalServer:
    """A server that keeps the published folder as version 1.0.0, and says that 1.0.1 is newer."""
    code_hash = describe_folder(published).code_hash

    def entry(number: str, active: bool) -> dict[str, Any]:
        plugin_id = f"small_one_{number.replace('.', '_')}"
        return {"version": number, "plugin_id": plugin_id, "active": active, "code_hash": code_hash}

    server.on(
        f"GET {BASE}/by-name/small-one/versions",
        {"success": True, "name": "small_one", "versions": [entry("1.0.1", False), entry("1.0.0", True)]},
    )
    for number in ("1_0_0", "1_0_1"):
        server.on(f"GET {BASE}/small_one_{number}/source", Answer(pack_directory(published, "zip")))
    return server


def pull(mix: Command, server: LocalServer, *more: str | Path) -> Ran:
    return mix("plugin", "pull", "small-one", "-n", "ns_1", "--base-url", server.url, *more)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_active_version_is_restored_byte_for_byte_under_its_name(
    mix: Command, keeping: LocalServer, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    ran = pull(mix, keeping)

    assert (ran.code, ran.out) == (0, "small_one 1.0.0: 2 files in small_one\n")
    assert contents(tmp_path / "small_one") == contents(published)
    assert keeping.asked[1].headers["accept"] == "application/zip"


def test_a_version_can_be_named(mix: Command, keeping: LocalServer, tmp_path: Path) -> None:
    ran = pull(mix, keeping, "-o", tmp_path / "out", "--version", "v1.0.1", "--json")

    assert (ran.json["plugin_id"], ran.json["files"]) == ("small_one_1_0_1", ["manifest.py", "processors/weights.bin"])


def test_a_version_that_is_not_there_names_those_that_are(mix: Command, keeping: LocalServer, tmp_path: Path) -> None:
    ran = pull(mix, keeping, "-o", tmp_path / "out", "--version", "2")

    assert ran.code == 1
    assert "1.0.1, 1.0.0" in ran.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_files_is_left_alone(mix: Command, keeping: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "manifest.py").write_text("mine")

    ran = pull(mix, keeping, "-o", tmp_path)

    assert ran.code == 1
    assert "--force" in ran.err
    assert (tmp_path / "manifest.py").read_text() == "mine"


def test_force_writes_over_the_files_of_the_version_and_names_the_others(
    mix: Command, keeping: LocalServer, published: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    (mine / "processors").mkdir(parents=True)
    (mine / ".git").mkdir()
    (mine / "manifest.py").write_text("mine")
    (mine / "processors" / "notes.txt").write_text("mine")

    ran = pull(mix, keeping, "-o", mine, "--force", "--json")

    assert ran.code == 0
    assert ran.json["left_as_they_are"] == [".git/", "processors/notes.txt"]
    assert contents(mine) == {**contents(published), "processors/notes.txt": b"mine"}


def test_a_link_in_the_way_is_not_written_through(mix: Command, keeping: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "processors").symlink_to(tmp_path / "elsewhere")

    ran = pull(mix, keeping, "-o", tmp_path / "out", "--force")

    assert ran.code == 1
    assert "in the way" in ran.err
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "out" / "manifest.py").exists()


def test_files_that_arrive_otherwise_than_published_are_refused(
    mix: Command, keeping: LocalServer, published: Path, tmp_path: Path
) -> None:
    (published / "manifest.py").write_text("changed on the way")
    keeping.on(f"GET {BASE}/small_one_1_0_0/source", Answer(pack_directory(published, "zip")))

    ran = pull(mix, keeping, "-o", tmp_path / "out")

    assert ran.code == 1
    assert "did not arrive" in ran.err
    assert list((tmp_path / "out").iterdir()) == []
