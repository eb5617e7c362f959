"""Creating buckets, and objects that fit their bucket's schema."""

from __future__ import annotations

import difflib
import hashlib
import json
from typing import Any

from pydantic import ValidationError

from mixpeek.catalog import queries
from mixpeek.catalog.models import Bucket, StoredObject
from mixpeek.catalog.schemas import CreateObject
from mixpeek.db.pool import Connection, new_id
from mixpeek.errors import AlreadyExists, InvalidRequest, MixpeekError, NotFound
from mixpeek.text import fault_of_text

BLOB_TYPES = frozenset({"text", "image", "audio", "video", "pdf", "excel"})
MIME_TYPES = {"text": "text/plain", "string": "text/plain", "pdf": "application/pdf"}


def create_bucket(connection: Connection, namespace_id: str, fields: dict[str, Any]) -> Bucket:
    bucket_id = new_id("bkt")
    if not queries.insert_bucket(connection, {**fields, "bucket_id": bucket_id, "namespace_id": namespace_id}):
        raise AlreadyExists(
            f"There is a bucket named {fields['bucket_name']!r} already", hint="Use it, or pick another name"
        )
    return get_bucket(connection, namespace_id, bucket_id)


def get_bucket(connection: Connection, namespace_id: str, identifier: str) -> Bucket:
    """Return the bucket with this id or name."""
    bucket = queries.find_bucket(connection, namespace_id, identifier)
    if bucket is None:
        raise NotFound("bucket", identifier)
    return bucket


def get_object(connection: Connection, bucket: Bucket, object_id: str) -> StoredObject:
    found = queries.find_object(connection, bucket.bucket_id, object_id)
    if found is None:
        raise NotFound("object", object_id)
    return found


def create_object(connection: Connection, bucket: Bucket, body: CreateObject) -> StoredObject:
    row = row_from_body(bucket, body)
    queries.insert_objects(connection, [row])
    return get_object(connection, bucket, row["object_id"])


def create_objects(connection: Connection, bucket: Bucket, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """Create the objects that are valid and say which are not and why; partial success is explicit."""
    rows, failed = [], []
    for index, body in enumerate(bodies):
        try:
            rows.append(row_from_body(bucket, CreateObject.model_validate(body)))
        except (MixpeekError, ValidationError) as error:
            failed.append({"object_index": index, "error": _words(error), "error_type": "ValidationError"})
    queries.insert_objects(connection, rows)
    created = queries.find_objects(connection, [row["object_id"] for row in rows])
    return {
        "succeeded": [stored.wire() for stored in created],
        "failed": failed,
        "total_requested": len(bodies),
        "succeeded_count": len(created),
        "failed_count": len(failed),
    }


def row_from_body(bucket: Bucket, body: CreateObject) -> dict[str, Any]:
    """Return the row of an object, checked against its bucket's schema.

    Raises: InvalidRequest: a property the schema lacks, a missing required one, or text that cannot be stored.
    """
    properties: dict[str, dict[str, Any]] = bucket.bucket_schema["properties"]
    fields = {**body.metadata, **(body.model_extra or {})}
    blobs = []
    for blob in body.blobs:
        _check_property(blob.property, properties)
        blobs.append(_stored_blob(blob.property, blob.type, blob.data, blob.metadata))
    given = {blob["property"] for blob in blobs}
    for name in body.model_extra or {}:
        _check_property(name, properties)
    for name, declared in properties.items():
        if name in fields and name not in given and declared["type"] in BLOB_TYPES:
            blobs.append(_stored_blob(name, declared["type"], fields[name], {}))
        elif name not in fields and name not in given:
            if declared.get("default") is not None:
                fields[name] = declared["default"]
            elif declared.get("required"):
                raise InvalidRequest(f"Required property {name!r} is missing", hint="Send it as a blob or a field")
    fault = fault_of_text({"blobs": blobs, "fields": fields})
    if fault:
        raise InvalidRequest(f"The object cannot be stored: {fault}", hint="Remove it from the text and send it again")
    return {
        "object_id": new_id("obj"),
        "namespace_id": bucket.namespace_id,
        "bucket_id": bucket.bucket_id,
        "key_prefix": body.key_prefix,
        "blobs": blobs,
        "fields": fields,
        "size_bytes": sum(blob["details"]["size_bytes"] for blob in blobs),
    }


def _stored_blob(name: str, kind: str, data: Any, metadata: dict[str, Any]) -> dict[str, Any]:
    raw = data.encode(errors="replace") if isinstance(data, str) else json.dumps(data).encode()
    return {
        "blob_id": new_id("blob"),
        "property": name,
        "key_prefix": None,
        "type": kind,
        "data": data,
        "properties": metadata,
        "details": {
            "filename": None,
            "size_bytes": len(raw),
            "mime_type": MIME_TYPES.get(kind, f"{kind}/*" if kind in BLOB_TYPES else "application/json"),
            "hash": hashlib.sha256(raw).hexdigest(),
        },
    }


def _check_property(name: str, properties: dict[str, Any]) -> None:
    if name not in properties:
        near = difflib.get_close_matches(name, properties, n=1)
        advice = f"Did you mean {near[0]!r}?" if near else f"The bucket has: {', '.join(sorted(properties))}"
        raise InvalidRequest(f"The bucket's schema has no property {name!r}", hint=advice)


def _words(error: MixpeekError | ValidationError) -> str:
    if isinstance(error, MixpeekError):
        return error.message
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
