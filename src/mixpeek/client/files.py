"""Files of this machine that go into a bucket: which they are, what they are called there, what they hold."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mixpeek.errors import InvalidRequest

_BLOCK_BYTES = 1024 * 1024
# What Python does not know everywhere, as some systems have no table of their own.
_MORE_TYPES = {".md": "text/markdown", ".webp": "image/webp", ".jsonl": "application/jsonl", ".flac": "audio/flac"}


@dataclass(frozen=True)
class LocalFile:
    """A file, and its name in the bucket: the path below the folder that was given, with `/` between."""

    path: Path
    name: str

    @property
    def content_type(self) -> str:
        """The MIME type that its name stands for."""
        known = _MORE_TYPES.get(self.path.suffix.lower()) or mimetypes.guess_type(self.path.name)[0]
        return known or "application/octet-stream"


@dataclass(frozen=True)
class FileSent:
    """How one file ended: `sent`, `present` because the bucket has the same bytes, or `failed` with its error."""

    file: LocalFile
    outcome: Literal["sent", "present", "failed"]
    object_id: str | None
    size_bytes: int
    error: Exception | None = None


def files_in(paths: Iterable[str | Path]) -> list[LocalFile]:
    """Return the files named and those below the folders named, by name; there, what starts with a dot is left out.

    Raises: InvalidRequest: a path does not exist, or two files would have one name.
    """
    found: dict[str, LocalFile] = {}
    for given in paths:
        for file in _files_at(Path(given)):
            twin = found.setdefault(file.name, file)
            if twin.path.resolve() != file.path.resolve():
                raise InvalidRequest(
                    f"`{twin.path}` and `{file.path}` would both be called {file.name!r}",
                    hint="Name the folder that holds both, or rename one",
                )
    return [found[name] for name in sorted(found)]


def data_uri_of(path: Path) -> str:
    """Return a file's content as a `data:` address, which goes wherever an address of content does."""
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"data:{LocalFile(path, path.name).content_type};base64,{content}"


def _files_at(path: Path) -> Iterator[LocalFile]:
    if path.is_dir():
        for below in path.rglob("*"):
            place = below.relative_to(path)
            if below.is_file() and not any(part.startswith(".") for part in place.parts):
                yield LocalFile(below, place.as_posix())
    elif path.is_file():
        yield LocalFile(path, path.name)
    else:
        raise InvalidRequest(f"`{path}` does not exist", hint="Pass files, or folders of files")


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
