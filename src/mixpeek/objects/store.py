"""The object store behind one small interface, on obstore (local directory, S3, GCS, Azure).

A store holds a mark, written when it is begun in. Where the mark is missing, the store is away: a folder that was
moved, a disk that is not mounted, a bucket that was emptied. Without it each would look like a store without objects.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn

from mixpeek.errors import MixpeekError, NotFound
from mixpeek.objects.errors import ObjectChanged, ObjectStoreAway, ObjectStoreFull, ObjectTooLarge
from mixpeek.objects.opening import folder_of_url, open_folder, open_url

log = logging.getLogger(__name__)

COPY_BYTES = 1024 * 1024
MARK = ".mixpeek-store"
# What fits into one part is sent in one request.
_PART_BYTES = 5 * COPY_BYTES
_PARTS_AT_ONCE = 3


@dataclass(frozen=True)
class StoredObject:
    """What was written: its size and its sha256."""

    key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class LocalCopy:
    """Content on this machine for a while: an open file at its start, its length, its sha256 in hex.

    Args: etag: what the store knows it by, where it was read from there.
    """

    file: BinaryIO
    size_bytes: int
    sha256: str
    etag: str | None = None

    def chunks(self) -> Iterator[bytes]:
        """Yield the content from its start."""
        self.file.seek(0)
        while chunk := self.file.read(COPY_BYTES):
            yield chunk

    def has_etag(self, told: str) -> bool:
        """Whether a PUT of this content was answered with the ETag `told`: by this server, or by the store."""
        return told.strip('"') in (self.sha256, self.etag)


def copy_into(file: BinaryIO, chunks: Iterable[bytes], etag: str | None = None) -> LocalCopy:
    """Write `chunks` into an open file, however many they are, and return it with what it holds."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        digest.update(chunk)
        file.write(chunk)
    file.seek(0)
    return LocalCopy(file, size, digest.hexdigest(), etag)


@contextmanager
def local_copy(chunks: Iterable[bytes]) -> Iterator[LocalCopy]:
    """Keep `chunks` in an unnamed file while the context lasts."""
    with tempfile.TemporaryFile() as file:
        yield copy_into(file, chunks)


class ObjectStore:
    """Bytes by key; a write is visible whole or not at all.

    Args:
        url: where the store is; None for `directory`.
        begun: a file that says which store this server began in; where it names this one, a store without its mark is
            away and is not begun in again. None begins in whatever is there.
        public_endpoint: the address of an S3 store as clients reach it, where it is another one than the server's.

    Raises, from every method: ObjectStoreAway.
    """

    def __init__(
        self, url: str | None, directory: Path, *, begun: Path | None = None, public_endpoint: str | None = None
    ) -> None:
        self._name = url or str(directory)
        self._begun = begun
        self._may_begin = begun is None or not begun.exists() or begun.read_text().strip() != self._name
        self._folder = directory if url is None else folder_of_url(url)
        # A folder is opened once it is there.
        self._store: Any = None if self._folder is not None else open_url(self._name)
        self._signer: Any = self._store if url is None or public_endpoint is None else open_url(url, public_endpoint)
        self._is_known = False
        self._beginning = threading.Lock()
        try:
            self._ready()
        except ObjectStoreAway as error:
            # What needs no object is served all the same.
            log.warning("%s", error.message)

    def put(self, key: str, chunks: Iterable[bytes], *, limit_bytes: int) -> StoredObject:
        """Write `chunks` under `key`, replacing what was there; what does not fit into one part is sent in several.

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

        rest, first = measured(), bytearray()
        for chunk in rest:
            first += chunk
            if len(first) > _PART_BYTES:
                break
        self._ready()
        with self._faults(None):
            if len(first) <= _PART_BYTES:
                obstore.put(self._store, key, bytes(first), use_multipart=False)
            else:
                # Each part that is under way is held in memory.
                parts = chain([bytes(first)], rest)
                obstore.put(self._store, key, parts, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
        self._ready()  # a folder that was moved meanwhile would have been made anew, for this object alone
        return StoredObject(key, size, digest.hexdigest())

    def read(self, key: str) -> Iterator[bytes]:
        """Yield the bytes under `key` piece by piece, never held as a whole; raises NotFound."""
        import obstore

        self._ready()
        with self._faults(key):
            yield from (bytes(part) for part in obstore.get(self._store, key).stream(min_chunk_size=COPY_BYTES))

    def copy_to(self, key: str, file: BinaryIO, *, limit_bytes: int) -> LocalCopy:
        """Copy what was uploaded under `key` into an open file: whatever is PUT there later changes nothing any more.

        Raises: NotFound. ObjectTooLarge: it has more than `limit_bytes`, and is deleted: a URL that the store signed
        lets anything in.
        """
        import obstore

        self._ready()
        with self._faults(key):
            found = obstore.get(self._store, key)
            size, etag = int(found.meta["size"]), (found.meta["e_tag"] or "").strip('"') or None
            if size <= limit_bytes:
                parts = (bytes(part) for part in found.stream(min_chunk_size=COPY_BYTES))
                return copy_into(file, parts, etag)
        self.delete(key)
        raise ObjectTooLarge(
            f"The upload has {size} bytes, its limit is {limit_bytes}; it was deleted", hint="Send a smaller file"
        )

    @contextmanager
    def arrived(self, key: str, *, limit_bytes: int) -> Iterator[LocalCopy]:
        """Keep what was uploaded under `key` in an unnamed file while the context lasts; raises as `copy_to`."""
        with tempfile.TemporaryFile() as file:
            yield self.copy_to(key, file, limit_bytes=limit_bytes)

    def size(self, key: str) -> int:
        """Return how many bytes lie under `key`; raises NotFound."""
        import obstore

        self._ready()
        with self._faults(key):
            return int(obstore.head(self._store, key)["size"])

    async def size_async(self, key: str) -> int:
        """As `size`, for an event loop."""
        import obstore

        self._ready()
        try:
            return int((await obstore.head_async(self._store, key))["size"])
        except Exception as error:  # told apart there; what is none of the store's is raised again
            raise await self._fault_async(error, key) from error

    async def read_range_async(self, key: str, offset: int, size_bytes: int) -> bytes:
        """Return a part of what lies under `key`, shorter where it ends before; raises NotFound. For an event loop."""
        import obstore

        self._ready()
        try:
            return bytes(await obstore.get_range_async(self._store, key, start=offset, length=size_bytes))
        except Exception as error:  # as above
            raise await self._fault_async(error, key) from error

    def exists(self, key: str) -> bool:
        """Whether something lies under `key`."""
        try:
            self.size(key)
        except NotFound:
            return False
        return True

    def folders(self, prefix: str) -> list[str]:
        """Return the names that stand below `prefix` with something below them; `prefix` ends in `/` or is empty."""
        import obstore

        self._ready()
        with self._faults(None):
            below = obstore.list_with_delimiter(self._store, prefix.rstrip("/") or None)["common_prefixes"]
        return [path.rstrip("/").rsplit("/", 1)[-1] for path in below]

    def list(self, prefix: str) -> list[tuple[str, datetime]]:
        """Return the keys under `prefix`, each with the time it was last written (UTC)."""
        import obstore

        self._ready()
        found: list[tuple[str, datetime]] = []
        with self._faults(None):
            for page in obstore.list(self._store, prefix):
                found += [(item["path"], item["last_modified"]) for item in page if item["path"] != MARK]
        return found

    def delete(self, key: str) -> None:
        """Delete what lies under `key`; as on S3, nothing there is no error."""
        import obstore

        self._ready()
        with suppress(NotFound), self._faults(key):
            obstore.delete(self._store, key)

    def presign(self, method: Literal["PUT", "GET"], key: str, lasts_s: int) -> str | None:
        """Return a URL that the store signed: it allows `method` on `key` for so long; None of a folder, which cannot.

        It limits no size: what was PUT there is looked at by `copy_to`.
        """
        import obstore

        if self._folder is not None:
            return None
        with self._faults(None):
            url: str = obstore.sign(self._signer, method, key, timedelta(seconds=lasts_s))
        return url

    def check(self) -> None:
        """Raise ObjectStoreAway unless the store answers and is the one that was begun in."""
        self._ready()
        if self._folder is None and not self._has_mark_still():
            self._raise_unmarked()

    def _ready(self) -> None:
        """Make sure of the mark: a folder's each time, as that costs nothing, another store's once."""
        if self._is_known:
            if self._folder is not None and not (self._folder / MARK).exists():
                self._raise_unmarked()
            return
        with self._beginning, self._faults(None):
            if self._folder is not None:
                self._store = open_folder(self._folder, make=self._may_begin)
            if not self._has_mark():
                if not self._may_begin:
                    self._raise_unmarked()
                self._write_mark()
            if self._begun is not None:
                self._begun.write_text(f"{self._name}\n")
            self._is_known, self._may_begin = True, False

    def _has_mark(self) -> bool:
        try:
            self._read_mark()
        except FileNotFoundError:
            return False
        return True

    def _read_mark(self) -> None:
        import obstore

        obstore.get(self._store, MARK).bytes()

    def _write_mark(self) -> None:
        import obstore

        obstore.put(self._store, MARK, b"Objects of a Mixpeek server lie here.\n", use_multipart=False)

    @contextmanager
    def _faults(self, key: str | None) -> Iterator[None]:
        """Tell the store's errors in our words; nothing under `key` is NotFound, unless the store itself is away."""
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            if key is None or self._folder is not None or self._has_mark_still():
                raise self._not_there(key, error) from error
            self._raise_unmarked()
        except (BaseError, PermissionError) as error:
            raise self._away(error) from error

    def _has_mark_still(self) -> bool:
        with self._faults(None):
            return self._has_mark()

    async def _fault_async(self, error: Exception, key: str) -> Exception:
        import obstore
        from obstore.exceptions import BaseError

        if isinstance(error, FileNotFoundError):
            if self._folder is None:
                try:
                    await obstore.head_async(self._store, MARK)
                except FileNotFoundError:
                    return self._unmarked()
                except (BaseError, PermissionError) as away:
                    return self._away(away)
            return NotFound("stored object", key)
        return self._away(error) if isinstance(error, BaseError | PermissionError) else error

    def _not_there(self, key: str | None, error: Exception) -> MixpeekError:
        return self._away(error) if key is None else NotFound("stored object", key)

    def _away(self, error: Exception) -> MixpeekError:
        from obstore.exceptions import PreconditionError

        # The first line says what; the rest are the insides of the client.
        first = str(error).splitlines()[0][:300]
        if isinstance(error, PreconditionError):
            return ObjectChanged(first)
        if "os error 28" in str(error):
            return ObjectStoreFull(f"The object store {self._name} is full: {first}")
        return ObjectStoreAway(f"The object store {self._name} does not answer: {first}")

    def _unmarked(self) -> ObjectStoreAway:
        return ObjectStoreAway(f"The object store {self._name} is not there: it has no {MARK}, which this server wrote")

    def _raise_unmarked(self) -> NoReturn:
        raise self._unmarked()
