"""What a backup says of itself is read strictly: a backup may come from anywhere."""

from __future__ import annotations

import json

import pytest

from mixpeek.backups.errors import BackupDamaged, BackupUnknown
from mixpeek.backups.manifest import BackedUpObject, File, Manifest, index_line, is_key, parse_index

MANIFEST = Manifest(
    program="1.0.0",
    schema="0045",
    taken_at="2026-11-30T00:00:00+00:00",
    postgresql=18,
    database=File(5, "a" * 64),
    index=File(0, "b" * 64),
    objects=0,
    objects_bytes=0,
    rows={"public.tasks": 3},
)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert Manifest.parse(MANIFEST.text().encode()) == MANIFEST


def test_a_newer_format_is_not_guessed_at() -> None:
    newer = {**json.loads(MANIFEST.text()), "format": 2, "unheard_of": True}

    with pytest.raises(BackupUnknown, match="format 2"):
        Manifest.parse(json.dumps(newer).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"format": 1}', b"\xff", b'{"format": "x"}'])
def test_what_is_no_manifest_is_damaged(text: bytes) -> None:
    with pytest.raises(BackupDamaged):
        Manifest.parse(text)


@pytest.mark.parametrize("key", ["archives/abc.zip", "namespaces/ns_1/assets/aa/a..b.png", "uploads/up_1"])
def test_keys_of_the_platform_are_keys(key: str) -> None:
    assert is_key(key)
    assert list(parse_index([index_line(BackedUpObject(1, "c" * 64, key))])) == [BackedUpObject(1, "c" * 64, key)]


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../outside", "a/../b", "a/..", "./a", "a//b", "a/", "a\\b", "a\nb", "a b", None, 5]
)
def test_a_key_that_leads_elsewhere_is_none(key: object) -> None:
    line = json.dumps({"key": key, "sha256": "c" * 64, "size_bytes": 1}).encode()

    assert not is_key(key)
    with pytest.raises(BackupDamaged, match=r"objects\.jsonl:1"):
        list(parse_index([line]))


@pytest.mark.parametrize("fields", [{"sha256": "c"}, {"size_bytes": True}, {"size_bytes": "1"}, {"more": 1}])
def test_a_line_of_the_index_has_its_fields_and_no_others(fields: dict[str, object]) -> None:
    line = {"key": "a", "sha256": "c" * 64, "size_bytes": 1, **fields}

    with pytest.raises(BackupDamaged):
        list(parse_index([json.dumps(line).encode()]))
