"""SQL over buckets and objects."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.catalog.models import Bucket, StoredObject
from mixpeek.db.pool import Connection, all_rows, first_row

BUCKET = (
    "SELECT b.bucket_id, b.namespace_id, b.bucket_name, b.description, b.bucket_schema, b.unique_key, b.metadata,"
    " b.created_at, b.updated_at, s.object_count, s.total_size_bytes, s.last_upload_at FROM buckets b"
    " CROSS JOIN LATERAL (SELECT count(*) AS object_count, COALESCE(sum(size_bytes), 0)::bigint AS total_size_bytes,"
    " max(created_at) AS last_upload_at FROM objects o WHERE o.bucket_id = b.bucket_id) s"
)
OBJECT = (
    "SELECT object_id, namespace_id, bucket_id, sequence, key_prefix, blobs, fields, status, created_at, updated_at"
    " FROM objects"
)


def insert_bucket(connection: Connection, bucket: dict[str, Any]) -> bool:
    """Insert a bucket; False when the namespace has one of this name."""
    values = {**bucket, "bucket_schema": Jsonb(bucket["bucket_schema"]), "metadata": Jsonb(bucket["metadata"])}
    cursor = connection.execute(
        "INSERT INTO buckets (bucket_id, namespace_id, bucket_name, description, bucket_schema, metadata) VALUES"
        " (%(bucket_id)s, %(namespace_id)s, %(bucket_name)s, %(description)s, %(bucket_schema)s, %(metadata)s)"
        " ON CONFLICT DO NOTHING",
        values,
    )
    return cursor.rowcount == 1


def find_bucket(connection: Connection, namespace_id: str, identifier: str) -> Bucket | None:
    return first_row(
        connection,
        Bucket,
        f"{BUCKET} WHERE b.namespace_id = %s AND %s IN (b.bucket_id, b.bucket_name)"
        " ORDER BY (b.bucket_id = %s) DESC LIMIT 1",
        [namespace_id, identifier, identifier],
    )


def list_buckets(connection: Connection, namespace_id: str, limit: int, after: str, offset: int = 0) -> list[Bucket]:
    return all_rows(
        connection,
        Bucket,
        f"{BUCKET} WHERE b.namespace_id = %s AND b.bucket_id > %s ORDER BY b.bucket_id LIMIT %s OFFSET %s",
        [namespace_id, after, limit, offset],
    )


def insert_objects(connection: Connection, objects: list[dict[str, Any]]) -> None:
    """Insert objects in the order given; their `sequence` follows it."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO objects (object_id, namespace_id, bucket_id, key_prefix, blobs, fields, size_bytes) VALUES"
            " (%(object_id)s, %(namespace_id)s, %(bucket_id)s, %(key_prefix)s, %(blobs)s, %(fields)s, %(size_bytes)s)",
            [{**o, "blobs": Jsonb(o["blobs"]), "fields": Jsonb(o["fields"])} for o in objects],
        )


def find_objects(connection: Connection, object_ids: list[str]) -> list[StoredObject]:
    """Return the objects with these ids that exist, in creation order."""
    return all_rows(connection, StoredObject, f"{OBJECT} WHERE object_id = ANY(%s) ORDER BY sequence", [object_ids])


def find_object(connection: Connection, bucket_id: str, object_id: str) -> StoredObject | None:
    return first_row(
        connection, StoredObject, f"{OBJECT} WHERE bucket_id = %s AND object_id = %s", [bucket_id, object_id]
    )


def list_objects(connection: Connection, bucket_id: str, limit: int, after: int, offset: int = 0) -> list[StoredObject]:
    return all_rows(
        connection,
        StoredObject,
        f"{OBJECT} WHERE bucket_id = %s AND sequence > %s ORDER BY sequence LIMIT %s OFFSET %s",
        [bucket_id, after, limit, offset],
    )
