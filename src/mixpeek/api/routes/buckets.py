"""Buckets."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from mixpeek.api.access import Deleter, HeaderNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.paging import ListedPageDep, ListRequest, wire_found
from mixpeek.api.schemas.buckets import Bucket, BucketDeleted, BucketPage
from mixpeek.batches.queries import count_by_bucket
from mixpeek.catalog import models, queries, service
from mixpeek.catalog.schemas import ChangeBucket, CreateBucket, ReplaceBucket
from mixpeek.collections.queries import list_readers
from mixpeek.db.pool import Connection
from mixpeek.errors import Conflict

router = APIRouter(prefix="/v1/buckets", tags=["buckets"])


@router.post("", **answers(Bucket, 409))
def create_bucket(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, body: CreateBucket
) -> dict[str, Any]:
    """Create a bucket; its schema says which fields its objects have, its unique key which of them are the same."""
    with platform.database.transaction() as connection:
        return _wire(connection, [service.create_bucket(connection, namespace.namespace_id, body)])[0]


@router.post("/list", **answers(BucketPage))
def list_buckets(
    platform: PlatformDep, namespace: HeaderNamespace, listed: ListedPageDep, body: ListRequest | None = None
) -> dict[str, Any]:
    """List buckets, by id unless sorted."""
    query = listed.query(body, always_counted=True)
    with platform.database.transaction() as connection:
        found = queries.list_buckets(connection, namespace.namespace_id, query)
        results = _wire(connection, found.rows)
    return {**wire_found(query, results, found), "total_count": found.total}


@router.get("/{bucket_identifier}", **answers(Bucket))
def get_bucket(platform: PlatformDep, namespace: HeaderNamespace, bucket_identifier: str) -> dict[str, Any]:
    """Return a bucket with how much it holds."""
    with platform.database.transaction() as connection:
        return _wire(connection, [service.get_bucket(connection, namespace.namespace_id, bucket_identifier)])[0]


@router.put("/{bucket_identifier}", **answers(Bucket, 409))
def replace_bucket(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, bucket_identifier: str, body: ReplaceBucket
) -> dict[str, Any]:
    """Describe a bucket anew; objects in it must fit the new schema whatever they hold, and its unique key stays."""
    with platform.database.transaction() as connection:
        bucket = service.get_bucket(connection, namespace.namespace_id, bucket_identifier, lock=True)
        return _wire(connection, [service.replace_bucket(connection, bucket, body)])[0]


@router.patch("/{bucket_identifier}", **answers(Bucket, 409))
def change_bucket(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, bucket_identifier: str, body: ChangeBucket
) -> dict[str, Any]:
    """Change what is given of a bucket; properties of the schema are added to those there are."""
    with platform.database.transaction() as connection:
        bucket = service.get_bucket(connection, namespace.namespace_id, bucket_identifier, lock=True)
        return _wire(connection, [service.change_bucket(connection, bucket, body)])[0]


@router.delete("/{bucket_identifier}", **answers(BucketDeleted, 409, checked=True))
def delete_bucket(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Deleter,
    bucket_identifier: str,
    force: Annotated[bool, Query()] = False,
) -> dict[str, Any]:
    """Delete a bucket with its objects and uploads; refused while collections read it, unless `force`.

    Forced, the documents that collections made of its objects go too; the collections stay.
    """
    with platform.database.transaction() as connection:
        bucket = service.get_bucket(connection, namespace.namespace_id, bucket_identifier, lock=True)
        readers = list_readers(connection, namespace.namespace_id, bucket.bucket_id)
        if readers and not force:
            raise Conflict(
                f"{len(readers)} collections read this bucket: {', '.join(readers[:5])}",
                hint="Delete them first, or send `force=true` to delete the bucket and what they made of it",
                collections=readers,
            )
        if readers:
            gone = queries.list_object_ids(connection, bucket.bucket_id)
            platform.documents.delete_of_objects(connection, namespace.namespace_id, gone)
        queries.delete_bucket(connection, bucket.bucket_id)
    return {"success": True, "bucket_id": bucket.bucket_id, "message": "Deleted"}


def _wire(connection: Connection, buckets: list[models.Bucket]) -> list[dict[str, Any]]:
    """Return buckets as they are answered: with how the batches over them stand, counted in one query."""
    stats: dict[str, dict[str, int]] = {}
    if buckets:
        stats = count_by_bucket(connection, buckets[0].namespace_id, [bucket.bucket_id for bucket in buckets])
    none = {"total": 0, "active": 0, "completed": 0, "failed": 0}
    return [
        {**bucket.wire(), "batch_stats": stats.get(bucket.bucket_id, none), "storage_stats": None} for bucket in buckets
    ]
