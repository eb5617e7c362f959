"""The object store behind one small interface, on obstore (local directory, S3, GCS, Azure)."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from mixpeek.errors import MixpeekError, NotFound

COPY_BYTES = 1024 * 1024
_PARTS_AT_ONCE = 3


class ObjectTooLarge(MixpeekError):
    """More bytes were sent than this upload may hold."""

    status, type, code = 413, "BadRequestError", "objects.too_large"


@dataclass(frozen=True)
class StoredObject:
    """What was written: its size and its sha256, which also is its ETag."""

    key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class LocalCopy:
    """A stored object on this machine for a while: an open file at its start, its length, its sha256 in hex."""

    file: BinaryIO
    size_bytes: int
    sha256: str

    def chunks(self) -> Iterator[bytes]:
        """Yield the content from its start."""
        self.file.seek(0)
        while chunk := self.file.read(COPY_BYTES):
            yield chunk


@contextmanager
def local_copy(chunks: Iterable[bytes]) -> Iterator[LocalCopy]:
    """Keep `chunks` in an unnamed file while the context lasts, however many they are."""
    digest, size = hashlib.sha256(), 0
    with tempfile.TemporaryFile() as file:
        for chunk in chunks:
            size += len(chunk)
            digest.update(chunk)
            file.write(chunk)
        file.seek(0)
        yield LocalCopy(file, size, digest.hexdigest())


class ObjectStore:
    """Bytes by key; a write is visible whole or not at all."""

    def __init__(self, url: str | None, directory: Path) -> None:
        from obstore.store import LocalStore, from_url

        self._store: Any
        if url is None:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._store = LocalStore(prefix=directory)
        else:
            self._store = from_url(url)

    def put(self, key: str, chunks: Iterable[bytes], *, limit_bytes: int) -> StoredObject:
        """Write `chunks` under `key`, replacing what was there.

        Raises: ObjectTooLarge: the chunks exceed `limit_bytes`; nothing is kept.
        """
        import obstore

        digest, size = hashlib.sha256(), 0

        def measured() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                size += len(chunk)
                if size > limit_bytes:
                    raise ObjectTooLarge(
                        f"The upload exceeds its limit of {limit_bytes} bytes", hint="Send a smaller archive"
                    )
                digest.update(chunk)
                yield chunk

        # Parts of 5 MB, of which each one under way is held in memory.
        obstore.put(self._store, key, measured(), max_concurrency=_PARTS_AT_ONCE)
        return StoredObject(key, size, digest.hexdigest())

    def read(self, key: str) -> Iterator[bytes]:
        """Yield the bytes under `key` piece by piece, never held as a whole; raises NotFound."""
        import obstore

        try:
            for chunk in obstore.get(self._store, key).stream(min_chunk_size=COPY_BYTES):
                yield bytes(chunk)
        except FileNotFoundError as error:
            raise NotFound("stored object", key) from error

    def size(self, key: str) -> int:
        """Return how many bytes lie under `key`; raises NotFound."""
        import obstore

        try:
            return int(obstore.head(self._store, key)["size"])
        except FileNotFoundError as error:
            raise NotFound("stored object", key) from error

    def stream(self, key: str) -> Iterator[bytes]:
        """Yield the bytes under `key` in parts, for what may not fit in memory; raises NotFound."""
        import obstore

        try:
            yield from (bytes(part) for part in obstore.get(self._store, key).stream())
        except FileNotFoundError as error:
            raise NotFound("stored object", key) from error

    async def size_async(self, key: str) -> int:
        """As `size`, for an event loop."""
        import obstore

        try:
            return int((await obstore.head_async(self._store, key))["size"])
        except FileNotFoundError as error:
            raise NotFound("stored object", key) from error

    async def read_range_async(self, key: str, offset: int, size_bytes: int) -> bytes:
        """Return a part of what lies under `key`, shorter where it ends before; raises NotFound. For an event loop."""
        import obstore

        try:
            return bytes(await obstore.get_range_async(self._store, key, start=offset, length=size_bytes))
        except FileNotFoundError as error:
            raise NotFound("stored object", key) from error

    def exists(self, key: str) -> bool:
        import obstore

        try:
            obstore.head(self._store, key)
        except FileNotFoundError:
            return False
        return True

    def folders(self, prefix: str) -> list[str]:
        """Return the names that stand below `prefix` with something below them; `prefix` ends in `/` or is empty."""
        import obstore

        below = obstore.list_with_delimiter(self._store, prefix.rstrip("/") or None)["common_prefixes"]
        return [path.rstrip("/").rsplit("/", 1)[-1] for path in below]

    def list(self, prefix: str) -> list[tuple[str, datetime]]:
        """Return the keys under `prefix`, each with the time it was last written (UTC)."""
        import obstore

        found: list[tuple[str, datetime]] = []
        for page in obstore.list(self._store, prefix):
            found += [(item["path"], item["last_modified"]) for item in page]
        return found

    def delete(self, key: str) -> None:
        """Delete what lies under `key`; as on S3, nothing there is no error."""
        import obstore

        with suppress(FileNotFoundError):
            obstore.delete(self._store, key)
