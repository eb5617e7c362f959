"""The safe archive reader: unpacks an uploaded zip, tar or tar.gz, or says everything that is wrong with it.

Nothing in an archive is believed: the format is sniffed, sizes are counted as bytes come, only plain files are written.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mixpeek.inspection.entries import EntryNames, is_clutter, split_name
from mixpeek.inspection.findings import Finding, error
from mixpeek.inspection.limits import LIMITS, ArchiveLimits, ArchiveRefused
from mixpeek.inspection.members import Member, MemberKind, Unreadable, damaged
from mixpeek.inspection.tars import tar_members
from mixpeek.inspection.zips import zip_members

__all__ = [
    "LIMITS",
    "ArchiveLimits",
    "ArchiveRefused",
    "ArchivedFile",
    "UnpackedArchive",
    "code_hash",
    "describe_folder",
    "read_archive",
]

_TAR_MAGIC_AT, _TAR_MAGIC = 257, b"ustar"
_LEAVE_OUT = "Leave out what the plugin does not need, for example through .mixpeekignore"


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


def read_archive(source: BinaryIO | bytes, into: Path, limits: ArchiveLimits = LIMITS) -> UnpackedArchive:
    """Unpack an archive into the empty or missing folder ``into``.

    Args:
        source: the archive; a stream must be able to seek.
    Raises: ArchiveRefused: with every finding; then nothing is left in ``into``.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise ValueError(f"{into} is not empty")
    # A host running as another user reads these files, whatever this process's umask is.
    into.chmod(0o755)
    writer = _Writer(into, limits, archive_bytes=stream.seek(0, io.SEEK_END))
    try:
        unpacked = writer.unpack(stream)
    except Unreadable as cause:
        writer.findings.append(cause.finding)
        unpacked = None
    except BaseException:
        _empty(into)
        raise
    if writer.findings or unpacked is None:
        _empty(into)
        raise ArchiveRefused(writer.findings)
    return unpacked


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


def _empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir():
            shutil.rmtree(child)
        else:
            child.unlink()


class _Writer:
    """One pass over one archive: judges each member, writes the good ones, gathers findings."""

    def __init__(self, into: Path, limits: ArchiveLimits, archive_bytes: int) -> None:
        self.findings: list[Finding] = []
        self._into = into
        self._limits = limits
        self._archive_bytes = archive_bytes
        self._unpacked_bytes = 0
        self._names = EntryNames()
        self._files: list[ArchivedFile] = []

    def unpack(self, stream: BinaryIO) -> UnpackedArchive | None:
        if self._archive_bytes > self._limits.archive_bytes:
            raise _too_large("archive.too_large", "The archive", self._limits.archive_bytes)
        for number, member in enumerate(self._members(stream), start=1):
            if number > self._limits.entries:
                raise self._too_many()
            self._take(member)
        if not self._files and not self.findings:
            self.findings.append(
                error("archive.empty", "The archive holds no files", hint="Pack the plugin's folder itself")
            )
        return None if self.findings else self._unpacked()

    def _members(self, stream: BinaryIO) -> Iterator[Member]:
        stream.seek(0)
        head = stream.read(512)
        stream.seek(0)
        if head.startswith(b"PK"):
            return zip_members(stream, self._limits)
        if head.startswith(b"\x1f\x8b"):
            return tar_members(_Counted(gzip.GzipFile(fileobj=stream), self))
        if head[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
            return tar_members(_Counted(stream, self))
        raise Unreadable(
            error(
                "archive.unknown_format",
                "The file is neither a zip nor a tar.gz archive",
                hint="Create it with `mixpeek plugin publish`, `zip -r` or `tar -czf`",
            )
        )

    def _take(self, member: Member) -> None:
        parts = split_name(member.name)
        if isinstance(parts, Finding):
            self.findings.append(parts)
        elif member.kind is MemberKind.LINK:
            self._refuse("archive.link", parts, "is a link", "Put the file itself in its place")
        elif member.kind is MemberKind.SPECIAL:
            self._refuse("archive.special_file", parts, "is not a plain file", "Remove it")
        elif is_clutter(parts) or (member.kind is MemberKind.FOLDER and not parts):
            return
        elif not parts:
            self._refuse("archive.nameless", parts, "has no name", "Pack the plugin's folder again")
        elif finding := self._names.claim(parts, is_folder=member.kind is MemberKind.FOLDER):
            self.findings.append(finding)
        elif member.kind is MemberKind.FILE:
            self._write(parts, member.chunks)

    def _write(self, parts: tuple[str, ...], chunks: Iterator[bytes]) -> None:
        if len(self._files) >= self._limits.files:
            raise self._too_many()
        folder = self._into
        for part in parts[:-1]:
            folder = folder / part
            if not folder.exists():
                folder.mkdir()
                folder.chmod(0o755)
        digest, size = hashlib.sha256(), 0
        # Exclusive and without following links: the folder was empty and no link is ever made, and this keeps it true.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(folder / parts[-1], flags, 0o644), "wb") as out:  # noqa: PTH123 -- Path.open takes no flags
            os.fchmod(out.fileno(), 0o644)
            for chunk in chunks:
                size += len(chunk)
                self._count_written(len(chunk))
                digest.update(chunk)
                out.write(chunk)
        self._files.append(ArchivedFile("/".join(parts), size, digest.hexdigest()))

    def _count_written(self, size: int) -> None:
        self._unpacked_bytes += size
        self.check_expansion(self._unpacked_bytes)

    def check_expansion(self, unpacked_bytes: int) -> None:
        """Stop when this many bytes out of the archive are too many, in all or for its size."""
        limits = self._limits
        if unpacked_bytes > limits.unpacked_bytes:
            raise _too_large("archive.too_large_unpacked", "What the archive unpacks to", limits.unpacked_bytes)
        if unpacked_bytes > limits.ratio_from_bytes and unpacked_bytes > limits.ratio * self._archive_bytes:
            raise Unreadable(
                error(
                    "archive.bomb",
                    f"The archive unpacks to more than {limits.ratio} times its size",
                    hint="Leave out generated files, or fill them in when the plugin starts",
                )
            )

    @property
    def unpacked_allowance(self) -> int:
        """Return how many bytes a tar stream may have in all: contents, headers and padding."""
        return self._limits.unpacked_bytes + self._limits.entries * 2_048 + 1024 * 1024

    def _unpacked(self) -> UnpackedArchive:
        tops = {file.path.split("/", 1)[0] for file in self._files}
        top = tops.pop() if len(tops) == 1 and all("/" in file.path for file in self._files) else None
        cut = len(top) + 1 if top else 0
        files = sorted(
            (ArchivedFile(file.path[cut:], file.size_bytes, file.sha256) for file in self._files),
            key=lambda file: file.path,
        )
        root = self._into / top if top else self._into
        return UnpackedArchive(root, top, tuple(files), code_hash(files))

    def _refuse(self, rule: str, parts: tuple[str, ...], what: str, hint: str) -> None:
        path = "/".join(parts)
        self.findings.append(error(rule, f"Entry `{path}` {what}", hint=hint, path=path))

    def _too_many(self) -> Unreadable:
        return Unreadable(
            error("archive.too_many_files", f"The archive has more than {self._limits.files} files", hint=_LEAVE_OUT)
        )


class _Counted:
    """A stream that stops when it has given more than an archive may hold, skipped entries included."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, writer: _Writer) -> None:
        self._stream = stream
        self._writer = writer
        self._given = 0

    def read(self, size: int, /) -> bytes:
        try:
            data = self._stream.read(size)
        except (OSError, EOFError, zlib.error) as cause:
            raise damaged(str(cause)) from cause
        self._given += len(data)
        if self._given > self._writer.unpacked_allowance:
            raise _too_large(
                "archive.too_large_unpacked", "What the archive unpacks to", self._writer.unpacked_allowance
            )
        return data


def _too_large(rule: str, what: str, limit: int) -> Unreadable:
    return Unreadable(error(rule, f"{what} is larger than {limit // (1024 * 1024)} MB", hint=_LEAVE_OUT))
