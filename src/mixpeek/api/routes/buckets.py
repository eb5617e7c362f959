"""Buckets."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mixpeek.api.access import HeaderNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.paging import ListBody, PageDep, wire_page
from mixpeek.api.schemas.buckets import Bucket, BucketPage
from mixpeek.catalog import queries, service
from mixpeek.catalog.schemas import CreateBucket

router = APIRouter(prefix="/v1/buckets", tags=["buckets"])


@router.post("", **answers(Bucket, 409))
def create_bucket(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, body: CreateBucket
) -> dict[str, Any]:
    """Create a bucket; its schema says which fields its objects have."""
    fields = body.model_dump(exclude={"unique_key"})
    fields["bucket_schema"] = body.bucket_schema.model_dump(exclude_none=True)
    with platform.database.transaction() as connection:
        return service.create_bucket(connection, namespace.namespace_id, fields).wire()


@router.post("/list", **answers(BucketPage))
def list_buckets(
    platform: PlatformDep, namespace: HeaderNamespace, page: PageDep, body: ListBody | None = None
) -> dict[str, Any]:
    """List buckets, by id."""
    page = page.within(body)
    with platform.database.transaction() as connection:
        found = queries.list_buckets(connection, namespace.namespace_id, page.limit, page.after, page.offset)
    return wire_page(page, [bucket.wire() for bucket in found], found[-1].bucket_id if found else None)


@router.get("/{bucket_identifier}", **answers(Bucket))
def get_bucket(platform: PlatformDep, namespace: HeaderNamespace, bucket_identifier: str) -> dict[str, Any]:
    """Return a bucket with how much it holds."""
    with platform.database.transaction() as connection:
        return service.get_bucket(connection, namespace.namespace_id, bucket_identifier).wire()
