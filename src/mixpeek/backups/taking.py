"""Taking a backup while the server runs: one snapshot of the database, then every stored object that it refers to.

Objects never change under their key and none is cleared meanwhile, so what the snapshot refers to is still there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from mixpeek import __version__
from mixpeek.backups import programs
from mixpeek.backups.container import Building, Target
from mixpeek.backups.errors import BackupIncomplete, finding
from mixpeek.backups.manifest import DUMP, INDEX, MANIFEST, OBJECTS, BackedUpObject, File, Manifest, index_line, is_key
from mixpeek.backups.references import Reference, count_rows, list_references, list_tables
from mixpeek.db.keeping import Kept
from mixpeek.db.schema import revision_of
from mixpeek.errors import Conflict, NotFound, ServiceUnavailable
from mixpeek.objects.store import ObjectStore

# Most of the time of a small object is the store's to answer.
_AT_ONCE = 8
Tell = Callable[[str], None]


@dataclass
class _Snapshot:
    """What was read of the database in one transaction."""

    schema: str
    server: int
    taken_at: datetime
    rows: dict[str, int]
    secrets: dict[str, int]
    dumped: File
    references: Path


@dataclass
class _Copied:
    """How copying the objects went."""

    count: int = 0
    size_bytes: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)


def take(
    url: str,
    objects: ObjectStore,
    path: Path,
    *,
    tell: Tell,
    despite_faults: bool = False,
    outside: Iterable[str] = (),
) -> Manifest:
    """Make a backup at `path`, a folder or a `.tar`, and return what it says of itself; nothing is there before.

    Args:
        despite_faults: keep a backup that lacks objects which were lost before, and name them in it.
        outside: what else the platform keeps, to be named in the backup.
    Raises:
        BackupIncomplete: an object is missing or not what it was; every one of them is a finding. No backup is made.
        AlreadyExists, Conflict: there is something at `path`, or being made there.
        PlatformError: a program or the database failed.
    """
    building = Building(path)
    with building.target() as target, _connected(url) as connection:
        kept = Kept(connection)
        snapshot = _dump(connection, url, building)
        target.add(DUMP, building.folder / DUMP)
        tell(f"database: {sum(snapshot.rows.values())} rows, {snapshot.dumped.size_bytes} bytes")
        index = building.new_file()
        with index.open("wb") as lines:
            copied = _copy(objects, _references(snapshot.references), building, target, lines.write, kept)
        indexed = _file(index)
        target.add(INDEX, index)
        snapshot.references.unlink()
        kept.check()
        tell(f"objects: {copied.count}, {copied.size_bytes} bytes")
        if copied.faults and not despite_faults:
            raise BackupIncomplete(
                f"{len(copied.faults)} stored objects are missing or damaged, so no backup was made",
                validation_errors=copied.faults,
            )
        manifest = Manifest(
            program=__version__,
            schema=snapshot.schema,
            taken_at=snapshot.taken_at.astimezone(UTC).isoformat(),
            postgresql=snapshot.server,
            database=snapshot.dumped,
            index=indexed,
            objects=copied.count,
            objects_bytes=copied.size_bytes,
            rows=snapshot.rows,
            secrets_encrypted_with=snapshot.secrets,
            faults=copied.faults,
            outside=list(outside),
        )
        # Last, so that a tar that was cut off has none.
        said = building.new_file()
        said.write_text(manifest.text())
        target.add(MANIFEST, said)
    return manifest


@contextlib.contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise ServiceUnavailable(
            f"The database ended the backup: {error}", hint="See that it runs, then make the backup again"
        ) from error


def _dump(connection: psycopg.Connection[Any], url: str, building: Building) -> _Snapshot:
    _begin(connection)
    exported = connection.execute("SELECT pg_export_snapshot(), now()").fetchone()
    assert exported is not None
    schema = revision_of(connection)
    if schema is None:
        raise Conflict("This database has no schema yet", hint="`mixpeek serve` makes it; there is nothing to back up")
    server = connection.info.server_version // 10_000
    place, digest, size = building.folder / DUMP, hashlib.sha256(), 0
    with place.open("wb") as file:
        for piece in programs.dump(url, str(exported[0]), server):
            digest.update(piece)
            size += len(piece)
            file.write(piece)
    references = building.new_file()
    with references.open("wb") as lines:
        for reference in list_references(connection):
            lines.write(json.dumps(asdict(reference)).encode() + b"\n")
    rows = count_rows(connection)
    found = connection.execute("SELECT key_fingerprint, count(*) FROM secrets GROUP BY 1 ORDER BY 1").fetchall()
    # From here on the server may clear away what the snapshot saw of changed rows.
    connection.execute("COMMIT")
    secrets = {str(fingerprint): int(count) for fingerprint, count in found}
    return _Snapshot(schema, server, exported[1], rows, secrets, File(size, digest.hexdigest()), references)


def _begin(connection: psycopg.Connection[Any]) -> None:
    """Begin a transaction without a snapshot yet, in which no table that is there now goes away."""
    while True:
        tables = [sql.Identifier(*table) for table in list_tables(connection)]
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            if tables:
                connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.SQL(", ").join(tables)))
        except psycopg.errors.UndefinedTable:  # one went in between: the vectors of a collection that was deleted
            connection.execute("ROLLBACK")
        else:
            return


def _references(path: Path) -> Iterator[Reference]:
    with path.open("rb") as lines:
        for line in lines:
            yield Reference(**json.loads(line))


def _copy(
    objects: ObjectStore,
    references: Iterable[Reference],
    building: Building,
    target: Target,
    write_line: Callable[[bytes], Any],
    kept: Kept,
) -> _Copied:
    """Copy objects, some at once, in the order of their references; gather what is wrong with them."""
    copied, waiting = _Copied(), deque[tuple[Reference, Path, Future[File]]]()

    def settle() -> None:
        reference, place, future = waiting.popleft()
        try:
            file = future.result()
        except NotFound:
            if reference.required:
                copied.faults.append(_fault(reference, "is missing from the object store"))
            return
        except Exception as error:
            # Whatever the store's client raises: one object that cannot be read must not hide the faults of the next.
            copied.faults.append(_fault(reference, f"cannot be read: {type(error).__name__}: {error}"))
            place.unlink(missing_ok=True)
            return
        if reference.sha256 not in (None, file.sha256):
            copied.faults.append(_fault(reference, f"is not what it was: its sha256 is {file.sha256}"))
            place.unlink()
            return
        target.add(OBJECTS + reference.key, place)
        write_line(index_line(BackedUpObject(file.size_bytes, file.sha256, reference.key)))
        copied.count += 1
        copied.size_bytes += file.size_bytes
        if copied.count % 1000 == 0:
            kept.check()

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="backup") as pool:
        for reference in references:
            if not is_key(reference.key):
                copied.faults.append(_fault(reference, "has a key that is none of the platform's"))
                continue
            place = building.new_file()
            waiting.append((reference, place, pool.submit(_fetch, objects, reference.key, place)))
            if len(waiting) >= 2 * _AT_ONCE:
                settle()
        while waiting:
            settle()
    return copied


def _fetch(objects: ObjectStore, key: str, place: Path) -> File:
    digest, size = hashlib.sha256(), 0
    chunks = objects.read(key)
    with contextlib.ExitStack() as opened:
        # Opened with the first piece, so that what is missing leaves no file.
        file = None
        for chunk in chunks:
            file = file or opened.enter_context(place.open("wb"))
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
    if size == 0:
        place.touch()
    return File(size, digest.hexdigest())


def _file(path: Path) -> File:
    with path.open("rb") as file:
        return File(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _fault(reference: Reference, words: str) -> dict[str, Any]:
    return finding("backup.object", reference.key, f"This {reference.what} {words}")
