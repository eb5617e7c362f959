"""A backup as a folder or as one tar: built beside its place under another name, and renamed when it is whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from mixpeek.backups.errors import BackupDamaged
from mixpeek.errors import AlreadyExists, Conflict, InvalidRequest

TAR = ".tar"
PARTIAL = ".partial"


class Target(Protocol):
    """Takes the files of a backup, in the order they come."""

    def add(self, name: str, file: Path) -> None:
        """Move a file into the backup."""

    def finish(self) -> None:
        """Have everything reach the disk."""


class Source(Protocol):
    """Gives the files of a backup."""

    def open(self, name: str) -> BinaryIO:
        """Open one file; raise FileNotFoundError."""


class _FolderTarget:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700)

    def add(self, name: str, file: Path) -> None:
        place = self._folder / name
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.rename(place)

    def finish(self) -> None:
        os.sync()  # once for all: a sync of each of a million small files takes hours


class _TarTarget:
    def __init__(self, file: Path) -> None:
        self._file = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._tar = tarfile.TarFile(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)

    def add(self, name: str, file: Path) -> None:
        self._tar.add(file, name, recursive=False)
        file.unlink()

    def finish(self) -> None:
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class Building:
    """The folder `PATH.partial` in which the backup at PATH is made, held by this process alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.with_name(path.name + PARTIAL)
        self._whole = self.folder / "whole"
        self._count = 0

    @contextlib.contextmanager
    def target(self) -> Iterator[Target]:
        """Yield what takes the files; they become the backup when the context ends without an exception.

        Raises: AlreadyExists: there is something at PATH. Conflict: another process makes a backup there.
        """
        if os.path.lexists(self.path):
            raise AlreadyExists(f"There is something at {self.path} already", hint="Give each backup a name of its own")
        if not self.path.parent.is_dir():
            raise InvalidRequest(f"There is no folder {self.path.parent}", hint="Make it first, or name another")
        self.folder.mkdir(exist_ok=True, mode=0o700)
        held = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict(
                    f"Another process is making a backup at {self.path}", hint="Wait for it, or name another place"
                ) from error
            self._clear()  # of one that was killed
            try:
                target: Target = (_TarTarget if self.path.suffix == TAR else _FolderTarget)(self._whole)
                yield target
                target.finish()
                # Only now is there anything at PATH, and it is whole.
                self._whole.rename(self.path)
                _sync_folder(self.path.parent)
            finally:
                self._clear()
                self.folder.rmdir()
        finally:
            os.close(held)

    def new_file(self) -> Path:
        """Return the name of a new file that lies beside the backup until it is added to it."""
        self._count += 1
        return self.folder / f"file{self._count}"

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


class _FolderSource:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, name: str) -> BinaryIO:
        descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW)
        return os.fdopen(descriptor, "rb")


class _TarSource:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def open(self, name: str) -> BinaryIO:
        try:
            member = self._tar.getmember(name)
        except (KeyError, tarfile.TarError) as error:  # a tar that was cut off is read up to there
            raise FileNotFoundError(name) from error
        file = self._tar.extractfile(member) if member.isreg() else None
        if file is None:
            raise FileNotFoundError(name)
        return cast(BinaryIO, file)


@contextlib.contextmanager
def open_backup(path: Path) -> Iterator[Source]:
    """Yield what gives the files of the backup at `path`; raise BackupDamaged where there is none."""
    if path.is_dir():
        yield _FolderSource(path)
        return
    try:
        tar = tarfile.TarFile(path)
    except FileNotFoundError as error:
        raise BackupDamaged(f"There is no backup at {path}") from error
    except (tarfile.TarError, OSError) as error:
        raise BackupDamaged(f"{path} is neither a folder nor a tar: {error}") from error
    with tar:
        yield _TarSource(tar)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
