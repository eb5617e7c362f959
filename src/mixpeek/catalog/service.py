"""Buckets: made, changed without breaking what is in them, deleted with all they hold."""

from __future__ import annotations

from typing import Any

from mixpeek.catalog import queries
from mixpeek.catalog.identity import root_name
from mixpeek.catalog.models import Bucket
from mixpeek.catalog.schemas import ChangeBucket, CreateBucket
from mixpeek.catalog.values import check_property
from mixpeek.db.pool import Connection, new_id
from mixpeek.errors import AlreadyExists, Conflict, InvalidRequest, NotFound


def create_bucket(connection: Connection, namespace_id: str, body: CreateBucket) -> Bucket:
    """Create a bucket.

    Raises: AlreadyExists: its name is taken. InvalidRequest: its unique key names what its schema lacks.
    """
    schema = body.bucket_schema.model_dump(exclude_none=True)
    if body.unique_key is not None:
        for path in body.unique_key.fields:
            check_property(root_name(path), schema["properties"])
    bucket_id = new_id("bkt")
    row = {
        "bucket_id": bucket_id,
        "namespace_id": namespace_id,
        "bucket_name": body.bucket_name,
        "description": body.description,
        "bucket_schema": schema,
        "unique_key": None if body.unique_key is None else body.unique_key.model_dump(),
        "metadata": body.metadata,
    }
    if not queries.insert_bucket(connection, row):
        raise _name_taken(body.bucket_name)
    return get_bucket(connection, namespace_id, bucket_id)


def get_bucket(connection: Connection, namespace_id: str, identifier: str, *, lock: bool = False) -> Bucket:
    """Return the bucket with this id or name; with `lock`, kept from others until the transaction ends."""
    bucket = queries.find_bucket(connection, namespace_id, identifier, lock=lock)
    if bucket is None:
        raise NotFound("bucket", identifier)
    return bucket


def replace_bucket(connection: Connection, bucket: Bucket, body: CreateBucket) -> Bucket:
    """Write a bucket's description as a whole."""
    unique_key = bucket.unique_key if body.unique_key is None else body.unique_key.model_dump()
    fields = {
        "bucket_name": body.bucket_name,
        "description": body.description,
        "bucket_schema": body.bucket_schema.model_dump(exclude_none=True),
        "metadata": body.metadata,
    }
    return _write(connection, bucket, fields, unique_key)


def change_bucket(connection: Connection, bucket: Bucket, body: ChangeBucket) -> Bucket:
    """Write what the body gives, and keep the rest; properties of the schema are added to those there are."""
    given = body.model_fields_set
    schema = dict(bucket.bucket_schema)
    if body.bucket_schema is not None:
        schema["properties"] = {
            **schema["properties"],
            **body.bucket_schema.model_dump(exclude_none=True)["properties"],
        }
    fields = {
        "bucket_name": body.bucket_name or bucket.bucket_name,
        "description": body.description if "description" in given else bucket.description,
        "bucket_schema": schema,
        "metadata": (body.metadata or {}) if "metadata" in given else bucket.metadata,
    }
    unique_key = bucket.unique_key
    if "unique_key" in given:
        unique_key = None if body.unique_key is None else body.unique_key.model_dump()
    return _write(connection, bucket, fields, unique_key)


def _write(connection: Connection, bucket: Bucket, fields: dict[str, Any], unique_key: dict[str, Any] | None) -> Bucket:
    if unique_key != bucket.unique_key:
        raise InvalidRequest(
            "A bucket's unique key never changes", hint="Create a bucket with the other key and put its objects there"
        )
    for path in (unique_key or {}).get("fields", []):
        check_property(root_name(path), fields["bucket_schema"]["properties"])
    if bucket.object_count:
        _check_still_fits(bucket, fields["bucket_schema"]["properties"])
    name = fields["bucket_name"]
    if name != bucket.bucket_name and queries.is_bucket_name_taken(connection, bucket.namespace_id, name):
        raise _name_taken(name)
    queries.update_bucket(connection, bucket.bucket_id, fields)
    return get_bucket(connection, bucket.namespace_id, bucket.bucket_id)


def _check_still_fits(bucket: Bucket, properties: dict[str, Any]) -> None:
    """Raise Conflict for a schema that the objects there are may not fit; adding an optional property always does."""
    before: dict[str, dict[str, Any]] = bucket.bucket_schema["properties"]
    faults = [f"{name!r} would be gone" for name in before if name not in properties]
    for name, declared in properties.items():
        if name not in before:
            if declared.get("required") and declared.get("default") is None:
                faults.append(f"{name!r} would be required, and no object has it")
        elif (declared["type"], declared.get("enum")) != (before[name]["type"], before[name].get("enum")):
            faults.append(f"{name!r} would be of another type")
        elif declared.get("required") and not before[name].get("required"):
            faults.append(f"{name!r} would become required")
    if faults:
        raise Conflict(
            f"{bucket.object_count} objects may not fit that schema: {'; '.join(faults)}",
            hint="Add optional properties, or create a bucket with the other schema",
        )


def _name_taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"There is a bucket named {name!r} already", hint="Use it, or pick another name")
