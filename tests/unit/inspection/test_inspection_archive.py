"""The archive reader: what it accepts, what it refuses, and that refusing leaves nothing behind."""

from __future__ import annotations

import gzip
import io
import os
import random
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from mixpeek.inspection.archive import ArchiveRefused, UnpackedArchive, describe_folder, read_archive
from mixpeek.inspection.limits import ArchiveLimits

FILES = {"my_plugin/manifest.py": b"metadata = {}\n", "my_plugin/processors/core.py": b"x = 1\n"}


def zip_of(files: dict[str, bytes], **info: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            for attribute, value in info.items():
                setattr(entry, attribute, value)
            archive.writestr(entry, content)
    return out.getvalue()


def tar_of(
    *entries: tuple[str, bytes], mode: Literal["w", "w:gz"] = "w:gz", format: int = tarfile.PAX_FORMAT, **info: object
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=format) as archive:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for attribute, value in info.items():
                setattr(entry, attribute, value)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def refused(archive: bytes, into: Path, limits: ArchiveLimits | None = None) -> set[str]:
    """Return the rules under which the archive is refused; nothing may be left on disk."""
    with pytest.raises(ArchiveRefused) as caught:
        read_archive(archive, into, limits or ArchiveLimits())
    assert list(into.iterdir()) == []
    assert all(finding.is_error and finding.hint for finding in caught.value.findings)
    return {finding.rule for finding in caught.value.findings}


def contents(unpacked: UnpackedArchive) -> dict[str, bytes]:
    return {file.path: (unpacked.root / file.path).read_bytes() for file in unpacked.files}


def test_zip_tar_and_tar_gz_of_the_same_files_agree(tmp_path: Path) -> None:
    archives = [zip_of(FILES), tar_of(*FILES.items()), tar_of(*FILES.items(), mode="w")]

    read = [read_archive(archive, tmp_path / str(index)) for index, archive in enumerate(archives)]

    assert len({one.code_hash for one in read}) == 1
    for one in read:
        assert one.name == "my_plugin"
        assert contents(one) == {"manifest.py": b"metadata = {}\n", "processors/core.py": b"x = 1\n"}


def test_files_at_the_top_of_the_archive_are_the_plugin_itself(tmp_path: Path) -> None:
    bare = {name.removeprefix("my_plugin/"): content for name, content in FILES.items()}

    unpacked = read_archive(zip_of(bare), tmp_path / "bare")

    assert unpacked.name is None
    assert unpacked.root == tmp_path / "bare"
    assert unpacked.code_hash == read_archive(zip_of(FILES), tmp_path / "foldered").code_hash


def test_an_unpacked_folder_can_be_described_again(tmp_path: Path) -> None:
    unpacked = read_archive(zip_of(FILES), tmp_path / "one")

    assert describe_folder(unpacked.root) == unpacked


def test_a_stream_is_read_from_its_start_wherever_it_stands(tmp_path: Path) -> None:
    stream = io.BytesIO(zip_of(FILES))
    stream.seek(7)

    assert len(read_archive(stream, tmp_path / "out").files) == 2


def test_permissions_of_the_archive_are_not_taken_over(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        unpacked = read_archive(tar_of(*FILES.items(), mode="w"), tmp_path / "out")
        open_to_all = read_archive(zip_of({"a/b/c.py": b""}, external_attr=0o100777 << 16), tmp_path / "set")
    finally:
        os.umask(before)

    assert {stat.S_IMODE((unpacked.root / file.path).stat().st_mode) for file in unpacked.files} == {0o644}
    assert stat.S_IMODE((open_to_all.root / "b" / "c.py").stat().st_mode) == 0o644
    assert stat.S_IMODE((open_to_all.root / "b").stat().st_mode) == 0o755


def test_long_names_and_names_beyond_ascii_survive(tmp_path: Path) -> None:
    name = "p/" + "/".join(["ordner_mit_langem_namen"] * 8) + "/größe.py"

    for index, archive in enumerate([zip_of({name: b"1"}), tar_of((name, b"1"))]):
        assert [file.path for file in read_archive(archive, tmp_path / str(index)).files] == [name[2:]]

    gnu = tar_of((name, b"1"), format=tarfile.GNU_FORMAT)
    assert [file.path for file in read_archive(gnu, tmp_path / "gnu").files] == [name[2:]]


def test_folder_entries_dots_and_desktop_clutter_do_not_matter(tmp_path: Path) -> None:
    files = {
        "./my_plugin/": b"",
        "./my_plugin//manifest.py": b"x",
        "__MACOSX/my_plugin/._manifest.py": b"junk",
        "my_plugin/.DS_Store": b"junk",
    }

    unpacked = read_archive(zip_of(files), tmp_path / "out")

    assert unpacked.name == "my_plugin"
    assert contents(unpacked) == {"manifest.py": b"x"}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("/etc/passwd", "archive.absolute_path"),
        ("C:/x.py", "archive.absolute_path"),
        ("../x.py", "archive.escaping_path"),
        ("a/../../x.py", "archive.escaping_path"),
        ("a\\..\\x.py", "archive.backslash"),
        ("a/\x1b[31mred.py", "archive.unprintable_name"),
        ("a/\u202egpj.py", "archive.unprintable_name"),
        ("a/" + "x" * 300, "archive.long_name"),
        ("a/" + "x/" * 800 + "y", "archive.long_name"),
    ],
)
def test_dangerous_names_are_refused_in_both_formats(tmp_path: Path, name: str, rule: str) -> None:
    assert refused(zip_of({name: b"x", "p/ok.py": b""}), tmp_path / "zip") == {rule}
    assert refused(tar_of((name, b"x"), ("p/ok.py", b"")), tmp_path / "tar") == {rule}


def test_a_name_with_a_nul_is_judged_as_it_was_written(tmp_path: Path) -> None:
    archive = zip_of({"p/aXb.py": b"x"}).replace(b"p/aXb.py", b"p/a\0b.py")

    assert refused(archive, tmp_path / "out") == {"archive.unprintable_name"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    archive = tar_of(("p/x", b""), type=kind, linkname="/etc/passwd")

    expected = "archive.link" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else "archive.special_file"
    assert refused(archive, tmp_path / "out") == {expected}


@pytest.mark.parametrize(("mode", "rule"), [(stat.S_IFLNK, "archive.link"), (stat.S_IFIFO, "archive.special_file")])
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, mode: int, rule: str) -> None:
    archive = zip_of({"p/x": b"/etc/passwd"}, external_attr=(mode | 0o777) << 16)

    assert refused(archive, tmp_path / "out") == {rule}


def test_a_link_followed_by_a_file_below_it_writes_nothing_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        link = tarfile.TarInfo("p/link")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        archive.addfile(link)
        entry = tarfile.TarInfo("p/link/evil.py")
        archive.addfile(entry)

    assert refused(out.getvalue(), tmp_path / "out") == {"archive.link"}
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (["p/a.py", "p/a.py"], "archive.duplicate"),
        (["p/a.py", "p/./a.py"], "archive.duplicate"),
        (["p/a.py", "p/A.py"], "archive.case_collision"),
        (["p/a/x.py", "p/A/y.py"], "archive.case_collision"),
        (["p/é.py", "p/e\u0301.py"], "archive.case_collision"),
        (["p/a", "p/a/b.py"], "archive.file_and_folder"),
        (["p/a/b.py", "p/a"], "archive.file_and_folder"),
    ],
)
def test_names_that_get_in_each_others_way_are_refused(tmp_path: Path, names: list[str], rule: str) -> None:
    assert refused(tar_of(*((name, b"x") for name in names)), tmp_path / "out") == {rule}


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    archive = tar_of(("/abs.py", b""), ("p/../../up.py", b""), ("p/a.py", b""), ("p/a.py", b""))

    assert refused(archive, tmp_path / "out") == {
        "archive.absolute_path",
        "archive.escaping_path",
        "archive.duplicate",
    }


def test_caps_hold_while_the_archive_is_read(tmp_path: Path) -> None:
    many = {f"p/{index}.py": b"x" for index in range(11)}
    random = {"p/a.bin": os.urandom(60_000), "p/b.bin": os.urandom(60_000)}

    def tar_from(files: dict[str, bytes]) -> bytes:
        return tar_of(*files.items())

    packers: tuple[Callable[[dict[str, bytes]], bytes], ...] = (zip_of, tar_from)
    for index, pack in enumerate(packers):
        assert refused(pack(many), tmp_path / f"n{index}", ArchiveLimits(files=10)) == {"archive.too_many_files"}
        assert refused(pack(random), tmp_path / f"u{index}", ArchiveLimits(unpacked_bytes=100_000)) == {
            "archive.too_large_unpacked"
        }
        assert refused(pack(random), tmp_path / f"a{index}", ArchiveLimits(archive_bytes=1_000)) == {
            "archive.too_large"
        }


def test_a_bomb_is_stopped_by_what_comes_out_and_not_by_what_it_claims(tmp_path: Path) -> None:
    zeros = {"p/zeros.bin": bytes(4_000_000)}
    limits = ArchiveLimits(ratio=100, ratio_from_bytes=1_000_000)

    assert refused(zip_of(zeros), tmp_path / "zip", limits) == {"archive.bomb"}
    assert refused(tar_of(*zeros.items()), tmp_path / "tar", limits) == {"archive.bomb"}


def test_skipped_tar_content_counts_too(tmp_path: Path) -> None:
    archive = tar_of(*(("__MACOSX/junk", bytes(1_000_000)) for _ in range(5)))

    assert refused(archive, tmp_path / "out", ArchiveLimits(unpacked_bytes=1_000, entries=10)) == {
        "archive.too_large_unpacked"
    }


def test_a_zip_that_claims_a_huge_directory_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    archive = bytearray(zip_of(FILES))
    at = archive.rfind(b"PK\x05\x06")
    struct.pack_into("<HH", archive, at + 8, 60_000, 60_000)

    assert refused(bytes(archive), tmp_path / "out") == {"archive.too_many_files"}


def test_a_tar_header_of_any_size_is_not_read_into_memory(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 300_000_000

    assert refused(gzip.compress(header.tobuf()), tmp_path / "out") == {"archive.long_header"}


def test_sparse_files_are_refused(tmp_path: Path) -> None:
    assert refused(tar_of(("p/x", b""), pax_headers={"GNU.sparse.major": "1"}), tmp_path / "out") == {"archive.sparse"}


def test_encrypted_and_unusual_zip_entries_are_refused(tmp_path: Path) -> None:
    encrypted = bytearray(zip_of({"p/a.py": b"x"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[encrypted.find(mark) + offset] |= 1
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("p/a.py", b"x")

    assert refused(bytes(encrypted), tmp_path / "one") == {"archive.encrypted"}
    assert refused(out.getvalue(), tmp_path / "two") == {"archive.compression"}


@pytest.mark.parametrize("junk", [b"", b"hello", b"PK\x03\x04junk", b"\x1f\x8bjunk", bytes(2_000)])
def test_what_is_no_archive_is_refused(tmp_path: Path, junk: bytes) -> None:
    assert refused(junk, tmp_path / "out") <= {"archive.unknown_format", "archive.damaged"}


def test_cut_and_flipped_archives_are_refused_as_damaged(tmp_path: Path) -> None:
    body = {"p/a.bin": os.urandom(20_000)}

    for index, archive in enumerate([zip_of(body), tar_of(*body.items())]):
        flipped = bytearray(archive)
        flipped[len(archive) // 2] ^= 0xFF
        assert refused(archive[: len(archive) // 2], tmp_path / f"cut{index}") == {"archive.damaged"}
        assert refused(bytes(flipped), tmp_path / f"flip{index}") == {"archive.damaged"}


def test_an_empty_archive_is_refused(tmp_path: Path) -> None:
    assert refused(zip_of({}), tmp_path / "zip") == {"archive.empty"}
    assert refused(tar_of(), tmp_path / "tar") == {"archive.empty"}


def test_unpacking_into_a_folder_with_files_is_a_programming_error(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")

    with pytest.raises(ValueError, match="not empty"):
        read_archive(zip_of(FILES), tmp_path)
    assert (tmp_path / "kept.txt").read_text() == "kept"


@pytest.mark.parametrize("seed", range(4))
def test_whatever_bytes_change_an_archive_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    choose = random.Random(seed)
    archives = [zip_of(FILES), tar_of(*FILES.items()), tar_of(*FILES.items(), mode="w")]

    for index in range(200):
        archive = bytearray(choose.choice(archives))
        for _ in range(choose.choice([1, 1, 2, 8])):
            archive[choose.randrange(len(archive))] = choose.randrange(256)
        into = tmp_path / str(index)
        try:
            read_archive(bytes(archive), into)
        except ArchiveRefused:
            assert list(into.iterdir()) == []


def test_a_zip_whose_directory_points_before_its_start_is_damaged(tmp_path: Path) -> None:
    archive = zip_of(FILES)[3:]

    assert refused(b"PK" + archive, tmp_path / "out") == {"archive.damaged"}
