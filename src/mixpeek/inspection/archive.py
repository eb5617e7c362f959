"""The safe archive reader: unpacks an uploaded zip, tar or tar.gz, or says everything that is wrong with it.

Nothing in an archive is believed: the format is sniffed, sizes are counted as bytes come, only plain files are written.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mixpeek.inspection.entries import EntryNames, is_clutter, split_name
from mixpeek.inspection.findings import Finding, error
from mixpeek.inspection.gzips import GzipStream
from mixpeek.inspection.limits import LIMITS, ArchiveLimits, ArchiveRefused
from mixpeek.inspection.members import Member, MemberKind, Unreadable, entry_refusal, unreadable
from mixpeek.inspection.tars import Readable, tar_members
from mixpeek.inspection.unpacked import ArchivedFile, UnpackedArchive, code_hash, describe_folder
from mixpeek.inspection.zip_directory import has_end_record
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
_SPANNED = (b"PK\x07\x08", b"PK00")
_SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
# More would help nobody, and each takes up memory.
_MAX_FINDINGS = 100
_LEAVE_OUT = "Leave out what the plugin does not need, for example through .mixpeekignore"


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
            if len(self.findings) >= _MAX_FINDINGS:
                return None
        if not self.findings:
            self._check_layout()
        return None if self.findings else self._unpacked()

    def _members(self, stream: BinaryIO) -> Iterator[Member]:
        stream.seek(0)
        head = stream.read(512)
        stream.seek(0)
        # A file may have an extended header of its own, and one more for a long link.
        most_headers = 3 * self._limits.entries
        if head.startswith(_SPANNED):
            raise unreadable("archive.multi_disk", "The zip file is one of several parts", hint="Pack it in one part")
        if head.startswith(b"PK"):
            return zip_members(stream, self._limits)
        if head.startswith(b"\x1f\x8b"):
            return tar_members(_Counted(GzipStream(stream), self), most_headers)
        if head[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
            return tar_members(_Counted(stream, self), most_headers)
        if has_end_record(stream):
            raise unreadable("archive.leading_data", "Other data comes before the zip file")
        raise unreadable(
            "archive.unknown_format",
            "The file is neither a zip nor a tar.gz archive",
            hint="Create it with `mixpeek plugin publish`, `zip -r` or `tar -czf`",
        )

    def _take(self, member: Member) -> None:
        """Judge one member, and write it if it is a file that nothing speaks against."""
        parts = split_name(member.name)
        refusals = [*member.refusals, *_kind_refusals(member)]
        if isinstance(parts, Finding):
            refusals.append(parts)
        elif not refusals:
            self._take_named(member, parts)
        self.findings += refusals

    def _take_named(self, member: Member, parts: tuple[str, ...]) -> None:
        is_folder = member.kind is MemberKind.FOLDER
        if is_clutter(parts):
            return
        if is_folder and self._has_content(member):
            self.findings.append(
                entry_refusal("archive.folder_with_content", member.name, "is a folder and has content")
            )
        elif not parts and not is_folder:
            self.findings.append(entry_refusal("archive.nameless", member.name, "has no name"))
        elif parts and (finding := self._claim(parts, is_folder=is_folder)):
            self.findings.append(finding)
        elif not is_folder:
            self._write(parts, member)

    def _claim(self, parts: tuple[str, ...], *, is_folder: bool) -> Finding | None:
        finding = self._names.claim(parts, is_folder=is_folder)
        # The folders on the way to a file are made too, though no entry may name them.
        if len(self._names) > self._limits.entries:
            raise self._too_many()
        return finding

    def _has_content(self, member: Member) -> bool:
        try:
            return any(member.chunks)
        except Unreadable as cause:
            self._note(cause)
            return False

    def _note(self, cause: Unreadable) -> None:
        """Keep what is wrong with one member; raise what concerns the archive."""
        if not cause.only_member:
            raise cause
        self.findings.append(cause.finding)

    def _check_layout(self) -> None:
        tops = {file.path.split("/", 1)[0] for file in self._files}
        if not self._files:
            self.findings.append(
                error("archive.empty", "The archive holds no files", hint="Pack the plugin's folder itself")
            )
        elif len(tops) > 1 and all("/" in file.path for file in self._files):
            self.findings.append(
                error(
                    "archive.several_folders",
                    f"The archive has {len(tops)} folders at its top and no file beside them",
                    hint="Pack the plugin's folder alone, or its files without a folder around them",
                )
            )

    def _write(self, parts: tuple[str, ...], member: Member) -> None:
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
            try:
                for chunk in member.chunks:
                    size += len(chunk)
                    self._count_written(len(chunk))
                    digest.update(chunk)
                    out.write(chunk)
            except Unreadable as cause:
                self._note(cause)
        self._files.append(ArchivedFile("/".join(parts), size, digest.hexdigest()))

    def _count_written(self, size: int) -> None:
        self._unpacked_bytes += size
        if self._unpacked_bytes > self._limits.unpacked_bytes:
            raise _too_large("archive.too_large_unpacked", "What the archive unpacks to", self._limits.unpacked_bytes)
        self.check_ratio(self._unpacked_bytes)

    def check_ratio(self, unpacked_bytes: int) -> None:
        """Stop when this many bytes out of the archive are too many for its size."""
        limits = self._limits
        if unpacked_bytes > limits.ratio_from_bytes and unpacked_bytes > limits.ratio * self._archive_bytes:
            raise unreadable(
                "archive.bomb",
                f"The archive unpacks to more than {limits.ratio} times its size",
                hint="Leave out generated files, or fill them in when the plugin starts",
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

    def _too_many(self) -> Unreadable:
        return unreadable(
            "archive.too_many_files", f"The archive has more than {self._limits.files} files", hint=_LEAVE_OUT
        )


def _kind_refusals(member: Member) -> Iterator[Finding]:
    if member.kind is MemberKind.LINK:
        yield entry_refusal("archive.link", member.name, "is a link", "Put the file itself in its place")
    elif member.kind is MemberKind.SPECIAL:
        yield entry_refusal("archive.special_file", member.name, "is not a plain file", "Remove it")
    # On a folder these say who owns new files and who may delete them, as on many shared drives.
    elif member.kind is MemberKind.FILE and member.mode & _SPECIAL_BITS:
        yield entry_refusal(
            "archive.setuid",
            member.name,
            f"has special permission bits ({member.mode:o})",
            "Take them away: `chmod -st`",
        )


class _Counted:
    """A stream that stops when it has given more than an archive may hold, skipped entries included."""

    def __init__(self, stream: Readable, writer: _Writer) -> None:
        self._stream = stream
        self._writer = writer
        self._given = 0

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._given += len(data)
        self._writer.check_ratio(self._given)
        if self._given > self._writer.unpacked_allowance:
            raise _too_large(
                "archive.too_large_unpacked", "What the archive unpacks to", self._writer.unpacked_allowance
            )
        return data


def _too_large(rule: str, what: str, limit: int) -> Unreadable:
    return unreadable(rule, f"{what} is larger than {limit // (1024 * 1024)} MB", hint=_LEAVE_OUT)
