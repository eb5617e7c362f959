"""The packer: the same files give the same bytes, and what is packed can be read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mixpeek.inspection.archive import ArchiveRefused, describe_folder, read_archive
from mixpeek.inspection.limits import ArchiveLimits
from mixpeek.inspection.pack import list_left_out_by_git, list_packed, pack_directory


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    folder = tmp_path / "my-plugin"
    (folder / "processors").mkdir(parents=True)
    (folder / "manifest.py").write_text("metadata = {}\n")
    (folder / "processors" / "core.py").write_text("x = 1\n")
    return folder


@pytest.mark.parametrize("fmt", ["tar.gz", "zip"])
def test_the_same_files_give_the_same_bytes(plugin: Path, fmt: str) -> None:
    first = pack_directory(plugin, fmt)  # type: ignore[arg-type]
    for path in plugin.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)

    assert pack_directory(plugin, fmt) == first  # type: ignore[arg-type]


@pytest.mark.parametrize("fmt", ["tar.gz", "zip"])
def test_what_is_packed_can_be_read_again(plugin: Path, tmp_path: Path, fmt: str) -> None:
    unpacked = read_archive(pack_directory(plugin, fmt), tmp_path / "out")  # type: ignore[arg-type]

    assert unpacked.name == "my-plugin"
    assert unpacked.code_hash == describe_folder(plugin).code_hash


def test_caches_environments_and_secrets_are_left_out(plugin: Path) -> None:
    for name in (".git/HEAD", ".venv/bin/python", "processors/__pycache__/core.pyc", ".env", "a.pyc", "key.pem"):
        (plugin / name).parent.mkdir(parents=True, exist_ok=True)
        (plugin / name).write_text("x")

    assert list_packed(plugin) == ["manifest.py", "processors/core.py"]


def test_the_ignore_file_leaves_out_and_brings_back(plugin: Path) -> None:
    (plugin / ".mixpeekignore").write_text("notes/\n*.csv\n!keep.csv\n!ca.pem\n")
    for name in ("notes/a.txt", "data.csv", "keep.csv", "ca.pem"):
        (plugin / name).parent.mkdir(exist_ok=True)
        (plugin / name).write_text("x")

    assert list_packed(plugin) == [".mixpeekignore", "ca.pem", "keep.csv", "manifest.py", "processors/core.py"]


def test_links_are_refused_by_name_unless_ignored(plugin: Path) -> None:
    (plugin / "model.bin").symlink_to("/etc/hostname")

    with pytest.raises(ArchiveRefused) as caught:
        pack_directory(plugin)

    assert [(finding.rule, finding.path) for finding in caught.value.findings] == [("archive.link", "model.bin")]
    (plugin / ".mixpeekignore").write_text("model.bin\n")
    assert "model.bin" not in list_packed(plugin)


def test_a_folder_that_no_server_would_accept_is_refused(plugin: Path, tmp_path: Path) -> None:
    with pytest.raises(ArchiveRefused, match="2 files"):
        pack_directory(plugin, limits=ArchiveLimits(files=1))
    with pytest.raises(ArchiveRefused, match="bytes"):
        pack_directory(plugin, limits=ArchiveLimits(unpacked_bytes=3))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchiveRefused, match="no files"):
        pack_directory(tmp_path / "empty")


def test_a_folder_that_is_no_plugin_is_named_as_that_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "python").symlink_to("/etc/hostname")

    with pytest.raises(ArchiveRefused, match="it has no manifest") as caught:
        pack_directory(tmp_path)

    assert [finding.rule for finding in caught.value.findings] == ["structure.missing_file"]
    assert "--path" in (caught.value.findings[0].hint or "")


def test_the_current_folder_is_packed_under_its_own_name(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plugin)

    assert read_archive(pack_directory(Path()), tmp_path / "out").name == "my-plugin"


def test_what_git_ignores_is_left_out_and_named(plugin: Path) -> None:
    (plugin / ".gitignore").write_text("*.log\n/data/\n__pycache__/\n")
    (plugin / "processors" / ".gitignore").write_text("*.bin\n!keep.log\n")
    for name in ("run.log", "data/rows.csv", "processors/w.bin", "processors/keep.log", "w.bin", "__pycache__/a.pyc"):
        (plugin / name).parent.mkdir(exist_ok=True)
        (plugin / name).write_text("x")

    packed = [
        ".gitignore",
        "manifest.py",
        "processors/.gitignore",
        "processors/core.py",
        "processors/keep.log",
        "w.bin",
    ]
    assert list_packed(plugin) == packed
    assert list_left_out_by_git(plugin) == ["data/", "processors/w.bin", "run.log"]


def test_the_ignore_file_brings_back_what_git_leaves_out(plugin: Path) -> None:
    (plugin / ".gitignore").write_text("*.onnx\nmodels/\n")
    (plugin / ".mixpeekignore").write_text("!model.onnx\n!models/\n")
    for name in ("model.onnx", "other.onnx", "models/vocab.txt"):
        (plugin / name).parent.mkdir(exist_ok=True)
        (plugin / name).write_text("x")

    assert {"model.onnx", "models/vocab.txt"} < set(list_packed(plugin))
    assert list_left_out_by_git(plugin) == ["other.onnx"]


def test_ignore_files_above_the_folder_do_not_count(plugin: Path) -> None:
    (plugin.parent / ".gitignore").write_text("*\n")

    assert list_packed(plugin) == ["manifest.py", "processors/core.py"]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("con.py", "archive.reserved_name"),
        ("a.py ", "archive.trailing_dot"),
        ("ab:c.py", "archive.colon"),
        ("C:b.py", "archive.absolute_path"),
        ("a\\b.py", "archive.backslash"),
        ("a\x1b[2J.py", "archive.unprintable_name"),
        ("gr\udcf6\udcdfe.py", "archive.name_encoding"),
        ("MANIFEST.py", "archive.case_collision"),
        ("x/" * 63 + "y.py", "archive.too_deep"),
    ],
)
def test_names_the_reader_refuses_are_refused_when_packing(plugin: Path, name: str, rule: str) -> None:
    (plugin / name).parent.mkdir(parents=True, exist_ok=True)
    (plugin / name).write_text("x")

    with pytest.raises(ArchiveRefused) as caught:
        pack_directory(plugin)

    assert [finding.rule for finding in caught.value.findings] == [rule]
    assert all(finding.message.isprintable() and finding.path.isprintable() for finding in caught.value.findings)


@pytest.mark.parametrize("name", ["nul", "plugin.", "my:plugin"])
def test_the_name_of_the_folder_itself_must_be_fit_to_pack(plugin: Path, name: str) -> None:
    folder = plugin.rename(plugin.with_name(name))

    with pytest.raises(ArchiveRefused, match=r"device|ends in a dot|colon"):
        pack_directory(folder)
