"""A plugin's files on disk, and the hash that says which plugin they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ArchivedFile:
    """One file of a plugin: its path below the plugin's folder, its length, and the sha256 of its content in hex."""

    path: str
    size_bytes: int
    sha256: str

    @property
    def size(self) -> int:
        """Return the length in bytes."""
        return self.size_bytes


@dataclass(frozen=True)
class UnpackedArchive:
    """A plugin on disk.

    ``root`` is the plugin's folder; ``name`` is the archive's single top-level folder, or None if its files lie at the
    top; ``files`` are sorted by path; ``code_hash`` (hex) depends on paths and contents only, so a zip and a tar.gz of
    the same files agree.
    """

    root: Path
    name: str | None
    files: tuple[ArchivedFile, ...]
    code_hash: str


def code_hash(files: Iterable[ArchivedFile]) -> str:
    """Return the sha256, in hex, over the sorted paths and content hashes of the files."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path):
        digest.update(f"{file.path}\0{file.sha256}\n".encode())
    return digest.hexdigest()


def describe_folder(root: Path) -> UnpackedArchive:
    """Return an already unpacked plugin folder as `read_archive` would have, hashing its files again."""
    files = tuple(
        ArchivedFile(path.relative_to(root).as_posix(), path.stat().st_size, _sha256(path))
        for path in sorted(root.rglob("*"))
        if path.is_file()
    )
    ordered = tuple(sorted(files, key=lambda file: file.path))
    return UnpackedArchive(root, root.name, ordered, code_hash(ordered))


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
