"""Restoring a backup into an empty system: first the objects, then the database, all of it in one transaction.

Killed anywhere, the database is still empty, so that nothing half is ever served; the same command begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from mixpeek.backups import programs
from mixpeek.backups.container import Source
from mixpeek.backups.errors import BackupDamaged, BackupUnknown, NotEmpty, VectorsMissing, finding
from mixpeek.backups.manifest import DUMP, OBJECTS, BackedUpObject, Manifest
from mixpeek.backups.references import count_rows, list_tables
from mixpeek.backups.verifying import fault_of, pieces, read_index, read_manifest
from mixpeek.db.schema import LOCK, head, revisions
from mixpeek.errors import PlatformError
from mixpeek.objects.errors import ObjectTooLarge
from mixpeek.objects.store import ObjectStore

Tell = Callable[[str], None]
_NAMED = 5


def restore(
    source: Source,
    url: str,
    objects: ObjectStore,
    *,
    tell: Tell,
    begin: Callable[[], None] = lambda: None,
    count_vectors: Callable[[], int] | None = None,
    without_vectors: bool = False,
) -> Manifest:
    """Write a backup into an empty database and an empty object store, and return what it says of itself.

    An object store that holds only objects of this backup, as a restore that was killed leaves it, counts as empty.

    Args:
        begin: called before anything is written, once the place is seen to be empty.
        count_vectors: returns how many vectors the store has that this system keeps them in; None where that is the
            database.
        without_vectors: forget those that lay in a store of their own; documents have none until they are made again.
    Raises:
        VectorsMissing: there are vectors that the backup has not, and neither has the store of vectors.
        NotEmpty: there is something in the database or the object store.
        BackupDamaged: files are missing or changed, all of them findings; the database is still empty.
        BackupUnknown: a newer program made it.
        PlatformError: a program or the database failed; the database is still empty.
    """
    manifest = read_manifest(source)
    if manifest.schema not in revisions():
        raise BackupUnknown(
            f"This backup is of schema revision {manifest.schema}, made by version {manifest.program};"
            f" this program knows revisions up to {head()}"
        )
    with psycopg.connect(url, autocommit=True) as connection:
        # No server that starts meanwhile makes its schema here.
        if not connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() == (True,):
            raise NotEmpty("Another program is migrating or restoring this database", hint="Stop it first")
        _check_database(connection)
        entries = {entry.key: entry for entry in read_index(source, manifest)}
        _check_objects(objects, entries)
        if not without_vectors:
            _check_vectors(manifest, count_vectors)
        begin()
        fault = fault_of(source, DUMP, manifest.database)
        faults = [*([] if fault is None else [fault]), *_put(source, objects, entries)]
        if faults:
            raise BackupDamaged(f"{len(faults)} files of this backup are missing or changed", validation_errors=faults)
        tell(f"objects: {len(entries)}, {manifest.objects_bytes} bytes")
        with source.open(DUMP) as dumped:
            programs.restore(url, pieces(dumped), connection.info.server_version // 10_000)
        _check_rows(connection, manifest)
        if without_vectors and _vectors_elsewhere(manifest):
            # Not row by row: that would note each as one to be removed from a store that does not have it.
            connection.execute("TRUNCATE vector_points, vector_writes, vector_removals")
        # Of processes that ran elsewhere; and statistics are not part of a dump.
        connection.execute("DELETE FROM processes")
        connection.execute("ANALYZE")
        tell(f"database: {sum(manifest.rows.values())} rows, schema revision {manifest.schema}")
    return manifest


def _check_database(connection: psycopg.Connection[Any]) -> None:
    tables = [f"{schema}.{name}" for schema, name in list_tables(connection)]
    if tables:
        named = ", ".join(tables[:_NAMED]) + (f" and {len(tables) - _NAMED} more" if len(tables) > _NAMED else "")
        raise NotEmpty(f"The database is not empty: it has {named}")


def _vectors_elsewhere(manifest: Manifest) -> int:
    return manifest.rows.get("public.vector_points", 0)


def _check_vectors(manifest: Manifest, count: Callable[[], int] | None) -> None:
    """Refuse to restore documents whose vectors are nowhere: searches would silently find none of them."""
    wanted = _vectors_elsewhere(manifest)
    if not wanted:
        return
    lay = f"The documents of this backup have {wanted} vectors, which lay in a Qdrant cluster and are not in it"
    if count is None:
        raise VectorsMissing(f"{lay}; MIXPEEK_DOCUMENTS_URL names none")
    found = count()
    if found < wanted:
        raise VectorsMissing(f"{lay}; the cluster that MIXPEEK_DOCUMENTS_URL names has {found}")


def _check_objects(objects: ObjectStore, entries: dict[str, BackedUpObject]) -> None:
    foreign = [key for key, _ in objects.list("") if key not in entries]
    if foreign:
        raise NotEmpty(
            f"The object store is not empty: it has {len(foreign)} objects that are not of this backup, {foreign[0]!r}"
            " first"
        )


def _put(source: Source, objects: ObjectStore, entries: dict[str, BackedUpObject]) -> Iterator[dict[str, Any]]:
    """Store each object, and yield what is wrong with those that are not what the index says."""
    for entry in entries.values():
        name = OBJECTS + entry.key
        try:
            with source.open(name) as file:
                stored = objects.put(entry.key, pieces(file), limit_bytes=entry.size_bytes)
        except FileNotFoundError:
            yield finding("backup.missing", name, f"{name} is missing")
            continue
        except ObjectTooLarge:
            yield finding("backup.size", name, f"{name} has more than {entry.size_bytes} bytes")
            continue
        if stored.sha256 != entry.sha256:
            objects.delete(entry.key)
            yield finding("backup.sha256", name, f"{name} was changed: its sha256 is {stored.sha256}")


def _check_rows(connection: psycopg.Connection[Any], manifest: Manifest) -> None:
    found = count_rows(connection)
    differ = sorted(name for name in {*found, *manifest.rows} if found.get(name) != manifest.rows.get(name))
    if differ:
        words = ", ".join(f"{name}: {found.get(name)} instead of {manifest.rows.get(name)}" for name in differ[:_NAMED])
        raise PlatformError(
            f"The restored database has other rows than the backup: {words}",
            hint="Do not use it; drop it, and restore into a new one",
        )
