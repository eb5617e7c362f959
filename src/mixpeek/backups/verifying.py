"""Verifying a backup: that it is whole, and that every file in it is what it was when it was made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from mixpeek.backups.container import Source
from mixpeek.backups.errors import BackupDamaged, finding
from mixpeek.backups.manifest import DUMP, INDEX, MANIFEST, OBJECTS, BackedUpObject, File, Manifest, parse_index

PIECE = 1 << 20


def read_manifest(source: Source) -> Manifest:
    """Return what a backup says of itself; raise BackupDamaged where it says nothing, BackupUnknown."""
    try:
        with source.open(MANIFEST) as file:
            return Manifest.parse(file.read())
    except OSError as error:
        raise BackupDamaged(f"This is no whole backup: it has no {MANIFEST}, which is written last") from error


def read_index(source: Source, manifest: Manifest) -> Iterator[BackedUpObject]:
    """Yield the objects of a backup, once the index is seen to be the one that the manifest names."""
    fault = fault_of(source, INDEX, manifest.index)
    if fault is not None:
        raise BackupDamaged(fault["message"], validation_errors=[fault])
    with source.open(INDEX) as lines:
        yield from parse_index(lines)


def fault_of(source: Source, name: str, expected: File) -> dict[str, Any] | None:
    """Return what is wrong with a file of a backup, None if it is as expected."""
    try:
        with source.open(name) as file:
            digest, size = hashlib.sha256(), 0
            for piece in pieces(file):
                digest.update(piece)
                size += len(piece)
    except FileNotFoundError:
        return finding("backup.missing", name, f"{name} is missing")
    except (OSError, EOFError) as error:
        return finding("backup.unreadable", name, f"{name} cannot be read: {error}")
    if size != expected.size_bytes:
        return finding("backup.size", name, f"{name} has {size} bytes instead of {expected.size_bytes}")
    if digest.hexdigest() != expected.sha256:
        return finding("backup.sha256", name, f"{name} was changed: its sha256 is {digest.hexdigest()}")
    return None


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield what is left of a file in pieces."""
    while piece := file.read(PIECE):
        yield piece


def verify(source: Source) -> Manifest:
    """Read every byte of a backup and return its manifest.

    Raises: BackupDamaged: all that is wrong with it, as findings. BackupUnknown.
    """
    manifest = read_manifest(source)
    found = [fault_of(source, DUMP, manifest.database)]
    count = 0
    for entry in read_index(source, manifest):
        count += 1
        found.append(fault_of(source, OBJECTS + entry.key, entry))
    faults = [fault for fault in found if fault is not None]
    if count != manifest.objects:
        faults.append(finding("backup.count", INDEX, f"{INDEX} has {count} objects instead of {manifest.objects}"))
    if faults:
        raise BackupDamaged(f"{len(faults)} files of this backup are missing or changed", validation_errors=faults)
    return manifest
