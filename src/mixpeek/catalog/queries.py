"""SQL over buckets, the objects in them, the files uploaded into them, and the assets these became."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, LiteralString

from psycopg.types.json import Jsonb
from pydantic_core import from_json

from mixpeek.catalog.models import Asset, Bucket, BucketUpload, NewObject, ObjectContents, StoredObject
from mixpeek.db.listing import Found, Listing, list_rows
from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, insert_new, scalar
from mixpeek.filters.query import Query
from mixpeek.filters.surface import Column, Surface

BUCKET = (
    "SELECT b.bucket_id, b.namespace_id, b.bucket_name, b.description, b.bucket_schema, b.unique_key, b.metadata,"
    " b.created_at, b.updated_at, s.object_count, s.total_size_bytes, s.last_upload_at FROM buckets b"
    " CROSS JOIN LATERAL (SELECT count(*) AS object_count, COALESCE(sum(size_bytes), 0)::bigint AS total_size_bytes,"
    " max(created_at) AS last_upload_at FROM objects o WHERE o.bucket_id = b.bucket_id) s"
)
OBJECT = (
    "SELECT object_id, namespace_id, bucket_id, sequence, key_prefix, blobs, fields, status, created_at, updated_at,"
    " source_details FROM objects"
)
UPLOAD = (
    "SELECT upload_id, namespace_id, bucket_id, filename, content_type, file_size_bytes, file_hash,"
    " create_object_on_confirm, object_metadata, blob_property, blob_type, skip_duplicates, object_key, status, asset,"
    " object_id, duplicate_of_upload_id, created_at, expires_at, confirmed_at FROM bucket_uploads"
)
BUCKETS = Listing(
    BUCKET,
    Surface(
        columns={
            **{name: Column(name) for name in ("bucket_id", "bucket_name", "description")},
            **{name: Column(name) for name in ("object_count", "total_size_bytes")},
            **{name: Column(name, "json") for name in ("bucket_schema", "unique_key", "metadata")},
            **{name: Column(name, "time") for name in ("created_at", "updated_at", "last_upload_at")},
        },
        searched=("bucket_id", "bucket_name", "description"),
    ),
    key=(("bucket_id", "text"),),
)
# A user's fields are named as they are, or under `metadata`.
OBJECTS = Listing(
    OBJECT,
    Surface(
        columns={
            **{name: Column(name) for name in ("object_id", "bucket_id", "key_prefix", "status")},
            **{name: Column(name, "json") for name in ("blobs", "source_details")},
            **{name: Column(name, "time") for name in ("created_at", "updated_at")},
        },
        rest=Column("fields", "json"),
        prefixes=frozenset({"metadata"}),
        searched=("object_id", "key_prefix", "*", "blobs"),
    ),
    key=(("sequence", "bigint"),),
)
UPLOADS = Listing(
    UPLOAD,
    Surface(
        columns={
            **{
                name: Column(name) for name in ("upload_id", "filename", "content_type", "file_size_bytes", "file_hash")
            },
            **{name: Column(name) for name in ("blob_property", "blob_type", "status", "object_id")},
            "duplicate_of_upload_id": Column("duplicate_of_upload_id"),
            "object_metadata": Column("object_metadata", "json"),
            **{name: Column(name, "time") for name in ("created_at", "expires_at", "confirmed_at")},
        },
        searched=("upload_id", "filename"),
    ),
    key=(("upload_id", "text"),),
)


# buckets -------------------------------------------------------------------------------------------------------------
def insert_bucket(connection: Connection, bucket: dict[str, Any]) -> bool:
    """Insert a bucket; False when the namespace has one of this name."""
    json = [name for name in ("bucket_schema", "unique_key", "metadata") if bucket[name] is not None]
    return insert_new(connection, "buckets", bucket, json)


def find_bucket(connection: Connection, namespace_id: str, identifier: str, *, lock: bool = False) -> Bucket | None:
    """Return the bucket with this id or name; with `lock`, kept from others until the transaction ends."""
    return first_row(
        connection,
        Bucket,
        f"{BUCKET} WHERE b.namespace_id = %s AND %s IN (b.bucket_id, b.bucket_name)"
        f" ORDER BY (b.bucket_id = %s) DESC LIMIT 1{' FOR UPDATE OF b' if lock else ''}",
        [namespace_id, identifier, identifier],
    )


def list_buckets(connection: Connection, namespace_id: str, query: Query) -> Found[Bucket]:
    return list_rows(connection, Bucket, BUCKETS, query, "namespace_id = %(namespace)s", {"namespace": namespace_id})


def is_bucket_name_taken(connection: Connection, namespace_id: str, name: str) -> bool:
    found = scalar(
        connection,
        "SELECT EXISTS (SELECT FROM buckets WHERE namespace_id = %s AND bucket_name = %s)",
        [namespace_id, name],
    )
    return bool(found)


def update_bucket(connection: Connection, bucket_id: str, fields: dict[str, Any]) -> None:
    """Write name, description, schema and metadata; the unique key never changes."""
    connection.execute(
        "UPDATE buckets SET bucket_name = %(bucket_name)s, description = %(description)s,"
        " bucket_schema = %(bucket_schema)s, metadata = %(metadata)s, updated_at = now()"
        " WHERE bucket_id = %(bucket_id)s",
        {
            **fields,
            "bucket_id": bucket_id,
            "bucket_schema": Jsonb(fields["bucket_schema"]),
            "metadata": Jsonb(fields["metadata"]),
        },
    )


def delete_bucket(connection: Connection, bucket_id: str) -> None:
    """Delete a bucket with its objects and uploads."""
    connection.execute("DELETE FROM buckets WHERE bucket_id = %s", [bucket_id])


def hold_bucket(connection: Connection, bucket_id: str) -> bool:
    """Keep a bucket from being deleted until the transaction ends; False when it is gone."""
    found = scalar(connection, "SELECT true FROM buckets WHERE bucket_id = %s FOR KEY SHARE", [bucket_id])
    return bool(found)


def lock_writers(connection: Connection, bucket_id: str) -> None:
    """Let one transaction at a time decide which of a bucket's objects are the same; the unique index checks it."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 14))", [bucket_id])


# objects -------------------------------------------------------------------------------------------------------------
def insert_objects(connection: Connection, bucket: Bucket, objects: Sequence[tuple[str, NewObject]]) -> None:
    """Insert objects under the ids given with them, in the order given; their `sequence` follows it."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO objects (object_id, namespace_id, bucket_id, key_prefix, blobs, fields, source_details,"
            " size_bytes, unique_hash, content_hash) VALUES (%(object_id)s, %(namespace_id)s, %(bucket_id)s,"
            " %(key_prefix)s, %(blobs)s, %(fields)s, %(source_details)s, %(size_bytes)s, %(unique_hash)s,"
            " %(content_hash)s)",
            [
                {"namespace_id": bucket.namespace_id, "bucket_id": bucket.bucket_id, **_object_row(object_id, new)}
                for object_id, new in objects
            ],
        )


def update_objects(connection: Connection, objects: Sequence[tuple[str, NewObject]]) -> None:
    """Replace what the objects with these ids hold."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE objects SET key_prefix = %(key_prefix)s, blobs = %(blobs)s, fields = %(fields)s,"
            " source_details = %(source_details)s, size_bytes = %(size_bytes)s, unique_hash = %(unique_hash)s,"
            " content_hash = %(content_hash)s, updated_at = now() WHERE object_id = %(object_id)s",
            [_object_row(object_id, new) for object_id, new in objects],
        )


def find_objects(connection: Connection, object_ids: list[str]) -> list[StoredObject]:
    """Return the objects with these ids that exist, in creation order."""
    return all_rows(connection, StoredObject, f"{OBJECT} WHERE object_id = ANY(%s) ORDER BY sequence", [object_ids])


def read_contents(connection: Connection, object_ids: list[str]) -> list[ObjectContents]:
    """Return what the objects with these ids hold, of those that exist, in creation order.

    As text, decoded here, and nothing besides: for a batch this takes a quarter of what `find_objects` does.
    """
    cursor = connection.execute(
        "SELECT object_id, bucket_id, blobs::text, fields::text FROM objects WHERE object_id = ANY(%s)"
        " ORDER BY sequence",
        [object_ids],
    )
    return [ObjectContents(one, bucket, from_json(blobs), from_json(fields)) for one, bucket, blobs, fields in cursor]


def find_object(connection: Connection, bucket_id: str, object_id: str, *, lock: bool = False) -> StoredObject | None:
    suffix = " FOR UPDATE" if lock else ""
    return first_row(
        connection, StoredObject, f"{OBJECT} WHERE bucket_id = %s AND object_id = %s{suffix}", [bucket_id, object_id]
    )


def find_by_unique_hashes(connection: Connection, bucket_id: str, hashes: Sequence[str]) -> dict[str, StoredObject]:
    """Return the bucket's objects that have these unique keys, by hash."""
    rows = dict_rows(
        connection,
        f"SELECT unique_hash, {OBJECT.removeprefix('SELECT ')} WHERE bucket_id = %s AND unique_hash = ANY(%s)",
        [bucket_id, list(hashes)],
    )
    return {row.pop("unique_hash"): StoredObject(**row) for row in rows}


def find_by_content_hashes(connection: Connection, bucket_id: str, hashes: Sequence[str]) -> dict[str, StoredObject]:
    """Return for each of these hashes the oldest of the bucket's objects that hold that."""
    rows = dict_rows(
        connection,
        f"SELECT DISTINCT ON (content_hash) content_hash, {OBJECT.removeprefix('SELECT ')}"
        " WHERE bucket_id = %s AND content_hash = ANY(%s) ORDER BY content_hash, sequence",
        [bucket_id, list(hashes)],
    )
    return {row.pop("content_hash"): StoredObject(**row) for row in rows}


def list_objects(connection: Connection, bucket_id: str, query: Query) -> Found[StoredObject]:
    return list_rows(connection, StoredObject, OBJECTS, query, "bucket_id = %(bucket)s", {"bucket": bucket_id})


def list_object_ids(connection: Connection, bucket_id: str) -> list[str]:
    rows = dict_rows(connection, "SELECT object_id FROM objects WHERE bucket_id = %s", [bucket_id])
    return [row["object_id"] for row in rows]


def delete_object(connection: Connection, object_id: str) -> None:
    connection.execute("DELETE FROM objects WHERE object_id = %s", [object_id])


def _object_row(object_id: str, new: NewObject) -> dict[str, Any]:
    return {
        "object_id": object_id,
        "key_prefix": new.key_prefix,
        "blobs": Jsonb(new.blobs),
        "fields": Jsonb(new.fields),
        "source_details": Jsonb(new.sources),
        "size_bytes": new.size_bytes,
        "unique_hash": new.unique_hash,
        "content_hash": new.content_hash,
    }


# uploads -------------------------------------------------------------------------------------------------------------
def insert_upload(connection: Connection, upload: dict[str, Any]) -> None:
    insert_new(connection, "bucket_uploads", upload, ["object_metadata"])


def find_upload(connection: Connection, bucket_id: str, upload_id: str, *, lock: bool = False) -> BucketUpload | None:
    suffix = " FOR UPDATE" if lock else ""
    return first_row(
        connection, BucketUpload, f"{UPLOAD} WHERE bucket_id = %s AND upload_id = %s{suffix}", [bucket_id, upload_id]
    )


def find_upload_of_content(connection: Connection, bucket_id: str, sha256: str) -> BucketUpload | None:
    """Return the first confirmed upload of content with this hash that was not itself found to be a duplicate.

    One whose object holds something else by now is left out: the content is not in the bucket any more.
    """
    return first_row(
        connection,
        BucketUpload,
        f"{UPLOAD} u WHERE bucket_id = %(bucket)s AND asset->>'sha256' = %(sha256)s AND asset IS NOT NULL"
        " AND duplicate_of_upload_id IS NULL AND (object_id IS NULL OR EXISTS (SELECT FROM objects o"
        "  CROSS JOIN LATERAL jsonb_array_elements(o.blobs) AS blob"
        "  WHERE o.object_id = u.object_id AND blob->'details'->>'hash' = %(sha256)s))"
        " ORDER BY confirmed_at LIMIT 1",
        {"bucket": bucket_id, "sha256": sha256},
    )


def list_uploads(connection: Connection, bucket_id: str, status: str | None, query: Query) -> Found[BucketUpload]:
    scope: LiteralString = "bucket_id = %(bucket)s"
    if status is not None:
        scope += " AND status = %(status)s"
    return list_rows(connection, BucketUpload, UPLOADS, query, scope, {"bucket": bucket_id, "status": status})


def complete_upload(
    connection: Connection, upload_id: str, asset: Asset, object_id: str | None, duplicate_of: str | None
) -> None:
    connection.execute(
        "UPDATE bucket_uploads SET status = 'COMPLETED', asset = %s, object_id = %s, duplicate_of_upload_id = %s,"
        " confirmed_at = now() WHERE upload_id = %s",
        [Jsonb(asset.row()), object_id, duplicate_of, upload_id],
    )


def delete_upload(connection: Connection, upload_id: str) -> None:
    connection.execute("DELETE FROM bucket_uploads WHERE upload_id = %s", [upload_id])


def delete_expired_uploads(connection: Connection) -> int:
    """Delete uploads that nobody confirmed within an hour after they expired."""
    return connection.execute(
        "DELETE FROM bucket_uploads WHERE status = 'PENDING' AND expires_at < now() - interval '1 hour'"
    ).rowcount


def list_open_upload_keys(connection: Connection) -> set[str]:
    """Return where bytes may lie that are still to be confirmed."""
    rows = dict_rows(connection, "SELECT object_key FROM bucket_uploads WHERE status = 'PENDING'")
    return {row["object_key"] for row in rows}


# assets --------------------------------------------------------------------------------------------------------------
def check_asset_later(connection: Connection, key: str) -> None:
    """Have it looked, some time from now, whether anything refers to an asset; waits for a look that is under way."""
    connection.execute("SELECT check_assets(%s)", [[key]])


def hold_due_assets(connection: Connection, age: timedelta, limit: int) -> list[str]:
    """Return assets to look at, the longest due first; until the transaction ends nobody stores them again."""
    rows = dict_rows(
        connection,
        "SELECT key FROM asset_checks WHERE since <= now() - %s ORDER BY since, key LIMIT %s FOR UPDATE SKIP LOCKED",
        [age, limit],
    )
    return [row["key"] for row in rows]


def used_assets(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Return those of these assets that an object or an upload refers to."""
    rows = dict_rows(
        connection,
        "SELECT key FROM unnest(%s::text[]) AS key WHERE EXISTS (SELECT FROM objects"
        "  WHERE asset_keys(blobs) <> '{}' AND asset_keys(blobs) @> ARRAY[key])"
        " OR EXISTS (SELECT FROM bucket_uploads WHERE asset IS NOT NULL AND asset->>'key' = key)",
        [list(keys)],
    )
    return {row["key"] for row in rows}


def forget_asset_checks(connection: Connection, keys: Sequence[str]) -> None:
    connection.execute("DELETE FROM asset_checks WHERE key = ANY(%s)", [list(keys)])
