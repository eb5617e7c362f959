"""The folder of models that hosts read: one directory per content hash, each whole or not there.

A directory is built beside and renamed, so that a killed process leaves nothing that could be taken for a model.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from mixpeek.inspection.archive import describe_folder

_FILLING = ".filling"
_INDEX = ".hub"
_GONE = ".gone-"


@dataclass(frozen=True)
class CachedModel:
    """A hub model in the cache: the commit its revision was resolved to, and the hash of its files."""

    revision: str
    content_hash: str


class ModelCache:
    """One data dir's models, shared by its processes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, content_hash: str) -> Path | None:
        """Return a model's directory, noted as used now; None if it is not here."""
        directory = self.root / content_hash
        try:
            os.utime(directory)
        except FileNotFoundError:
            return None
        return directory

    @contextlib.contextmanager
    def building(self) -> Iterator[Path]:
        """Yield an empty scratch folder beside the models; what is left in it afterwards is removed."""
        (self.root / _FILLING).mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = Path(tempfile.mkdtemp(dir=self.root / _FILLING, prefix="building-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def filling(self, key: str) -> Iterator[Path]:
        """Yield the folder `key` is downloaded into, one process at a time; what a killed one left is there."""
        name = hashlib.sha256(key.encode()).hexdigest()
        (self.root / _FILLING).mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.root / _FILLING / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            folder = self.root / _FILLING / name
            folder.mkdir(exist_ok=True)
            os.utime(folder)
            yield folder
        finally:
            os.close(descriptor)

    def adopt(self, folder: Path) -> str:
        """Move a finished folder of files into the cache and return its content hash."""
        content_hash = describe_folder(folder).code_hash
        for path in folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o444)
        # A host that runs as another user enters it.
        folder.chmod(0o755)
        try:
            folder.rename(self.root / content_hash)
        except OSError:
            if not (self.root / content_hash).is_dir():
                raise
            shutil.rmtree(folder)  # another process was faster with the same files
        return content_hash

    def copy_in(self, source: Path) -> str:
        """Copy a folder of plain files into the cache and return its content hash."""
        with self.building() as scratch:
            for path in sorted(source.rglob("*")):
                if path.is_file():
                    target = scratch / "files" / path.relative_to(source)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target)
            return self.adopt(scratch / "files")

    def recall(self, name: str, revision: str) -> CachedModel | None:
        """Return what a hub model's revision was last resolved to, None if it never was or its files are gone."""
        try:
            found = CachedModel(**json.loads(self._index(name, revision).read_text()))
        except FileNotFoundError:
            return None
        return found if (self.root / found.content_hash).is_dir() else None

    def remember(self, name: str, revision: str, model: CachedModel) -> None:
        """Keep what a revision was resolved to, under its own name and under the commit's."""
        for each in {revision, model.revision}:
            path = self._index(name, each)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, building = tempfile.mkstemp(dir=path.parent, prefix=".building-")
            with os.fdopen(descriptor, "w") as file:
                json.dump({"revision": model.revision, "content_hash": model.content_hash}, file)
            Path(building).rename(path)

    def clear(self, kept: set[str], days: float) -> int:
        """Remove models outside of `kept` not used for so long, and downloads nobody went on with; say how many."""
        before = time.time() - days * 86400
        if not self.root.is_dir():
            return 0
        models = [path for path in self.root.iterdir() if not path.name.startswith(".") and path.name not in kept]
        # What a killed process had begun to remove.
        models += self.root.glob(f"{_GONE}*")
        left = list((self.root / _FILLING).glob("*")) if (self.root / _FILLING).is_dir() else []
        old = [path for path in models if path.stat().st_mtime < before]
        old += [path for path in left if path.is_dir() and path.stat().st_mtime < time.time() - 86400]
        for path in old:
            # Renamed first: nobody may find half of it.
            gone = self.root / f"{_GONE}{path.name.removeprefix(_GONE)}"
            path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
        return len(old)

    def _index(self, name: str, revision: str) -> Path:
        return self.root / _INDEX / quote(name, safe="") / f"{quote(revision, safe='')}.json"
