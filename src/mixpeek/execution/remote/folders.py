"""Folders that travel by the hash of what is in them, and a machine's cache of those it has been given.

A cached folder is whole, as it is renamed into place last and its hash is taken again there; those that nobody uses
go after a while.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mixpeek.errors import PlatformError

PIECE_BYTES = 16 * 1024**2
KEPT_S = 14 * 86_400.0
_READ_BYTES = 1024**2


def digest_of(folder: Path) -> str:
    """Return the hash of a folder's content: names, bytes, links, and which files may be executed."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = os.fsencode(path.relative_to(folder))
        if path.is_symlink():
            kind, content = b"link", hashlib.sha256(os.fsencode(path.readlink())).digest()
        elif path.is_dir():
            kind, content = b"folder", b""
        else:
            kind = b"program" if path.stat().st_mode & stat.S_IXUSR else b"file"
            content = _digest_of_file(path)
        for part in (kind, name, content):
            total.update(len(part).to_bytes(4, "little") + part)
    return total.hexdigest()


def _digest_of_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


class Digests:
    """Hashes folders that do not change once they are there, each of them once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], str] = {}

    def of(self, folder: Path) -> str:
        """Return a folder's hash; one that was made anew since is read again."""
        found = folder.stat()
        key = (str(folder), found.st_ino, found.st_mtime_ns)
        if key not in self._known:
            self._known[key] = digest_of(folder)
        return self._known[key]


def pieces_of(folder: Path) -> Iterator[bytes]:
    """Return a folder as an archive, cut into pieces that can be held in memory."""
    with tempfile.TemporaryFile() as packed:
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(folder, arcname=".")
        packed.seek(0)
        while piece := packed.read(PIECE_BYTES):
            yield piece


class FolderCache:
    """The folders that one machine has been given; several processes may use it at once."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = root.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PlatformError(
                f"{root} belongs to somebody else, so plugins are not kept there",
                hint="Set MIXPEEK_RAY_CACHE_DIR to a folder of the user that Ray runs as",
            )
        self._root = root
        self._holds: list[int] = []
        self._coming: dict[str, Path] = {}

    def hold(self, digest: str) -> bool:
        """Keep a folder from being cleared for as long as this process lives; False if it is not there."""
        descriptor = os.open(self._root / f".lock-{digest}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        self._holds.append(descriptor)
        if not (self._root / digest).is_dir():
            return False
        os.utime(self._root / f".lock-{digest}")
        return True

    def take(self, digest: str, piece: bytes, *, is_last: bool) -> None:
        """Take the next piece of a folder's archive; with the last one the folder is there."""
        coming = self._coming.setdefault(digest, self._root / f".coming-{digest}-{secrets.token_hex(4)}")
        with coming.open("ab") as file:
            file.write(piece)
        if is_last:
            del self._coming[digest]
            try:
                self._unpack(digest, coming)
            finally:
                coming.unlink(missing_ok=True)
            self.clear()

    def place(self, digest: str) -> Path:
        """Return where a folder lies that is held."""
        return self._root / digest

    def clear(self, kept_s: float = KEPT_S) -> None:
        """Remove what nobody holds and nobody asked for in that time."""
        oldest = time.time() - kept_s
        for lock in self._root.glob(".lock-*"):
            if lock.stat().st_mtime >= oldest:
                continue
            with contextlib.suppress(OSError), lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(self._root / lock.name.removeprefix(".lock-"), ignore_errors=True)
        for path in (*self._root.glob(".coming-*"), *self._root.glob(".unpacking-*")):
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _unpack(self, digest: str, archive: Path) -> None:
        unpacking = Path(tempfile.mkdtemp(dir=self._root, prefix=f".unpacking-{digest}-"))
        try:
            with tarfile.open(archive) as packed:
                # What an archive may hold is checked by its hash below; this keeps it inside until then.
                safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
                packed.extractall(unpacking, **safely)  # type: ignore[arg-type]  # noqa: S202
            _open_to_hosts(unpacking)
            if digest_of(unpacking) != digest:
                raise PlatformError("A folder for a plugin's host did not arrive whole", hint="Try again")
            # Another process may have been faster: its folder is as good.
            with contextlib.suppress(OSError):
                unpacking.rename(self._root / digest)
        finally:
            shutil.rmtree(unpacking, ignore_errors=True)


def _open_to_hosts(folder: Path) -> None:
    """Let the users that hosts run as read everything; they see nothing but what is bound for them."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | (0o555 if path.is_dir() or mode & stat.S_IXUSR else 0o444))
