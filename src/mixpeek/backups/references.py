"""Which stored objects the database refers to, and how many rows each of its tables has: questions to one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from mixpeek.objects.assets import NAMESPACES

Connection = psycopg.Connection[Any]

# `what` names the kind in a finding. An upload that nobody has confirmed yet may be confirmed, and its object gone,
# while the backup is made; everything else stays, as nothing is cleared meanwhile.
_REFERENCES = f"""
    SELECT archive_key AS key, archive_sha256 AS sha256, 'plugin archive' AS what, true AS required FROM plugin_versions
    UNION SELECT archive_key, archive_sha256, 'model archive', true FROM namespace_models WHERE deleted_at IS NULL
    UNION SELECT key, substring(key FROM '/assets/([0-9a-f]{{64}})/'), 'asset', true FROM (
        SELECT unnest(asset_keys(blobs)) AS key FROM objects WHERE asset_keys(blobs) <> '{{}}'
        UNION SELECT asset->>'key' FROM bucket_uploads WHERE asset IS NOT NULL
    ) AS assets WHERE starts_with(key, '{NAMESPACES}')
    UNION SELECT object_key, NULL, 'upload', false FROM plugin_uploads WHERE state = 'requested'
    UNION SELECT object_key, NULL, 'upload', false FROM model_uploads WHERE state = 'requested'
    UNION SELECT object_key, NULL, 'upload', false FROM bucket_uploads WHERE status = 'PENDING'
    ORDER BY key"""
_TABLES = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname <> 'information_schema'
        AND NOT starts_with(n.nspname, 'pg_')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1, 2"""


@dataclass(frozen=True)
class Reference:
    """An object that a row names; `sha256` is what it must be, None where only its bytes tell."""

    key: str
    sha256: str | None
    what: str
    required: bool


def list_references(connection: Connection) -> Iterator[Reference]:
    """Yield every object that the snapshot of `connection` refers to, by key."""
    with connection.cursor(name="mixpeek_references", row_factory=class_row(Reference)) as cursor:
        cursor.itersize = 10_000
        cursor.execute(_REFERENCES)
        yield from cursor


def list_tables(connection: Connection) -> list[tuple[str, str]]:
    """Return schema and name of every table that is not PostgreSQL's own, an extension's, or unlogged."""
    return [(str(schema), str(name)) for schema, name in connection.execute(_TABLES)]


def count_rows(connection: Connection) -> dict[str, int]:
    """Return how many rows each table of `list_tables` has, by `schema.name`."""
    counts = {}
    for schema, name in list_tables(connection):
        counted = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))).fetchone()
        counts[f"{schema}.{name}"] = int(counted[0]) if counted else 0
    return counts
