"""Objects of a bucket."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mixpeek.api.access import HeaderNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.paging import ListBody, PageDep, wire_page
from mixpeek.api.schemas.buckets import ObjectPage, ObjectsCreated, StoredObject
from mixpeek.catalog import queries, service
from mixpeek.catalog.schemas import CreateObject, CreateObjects

router = APIRouter(prefix="/v1/buckets/{bucket_identifier}/objects", tags=["objects"])


@router.post("", **answers(StoredObject))
def create_object(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, bucket_identifier: str, body: CreateObject
) -> dict[str, Any]:
    """Create an object, checked against its bucket's schema."""
    with platform.database.transaction() as connection:
        bucket = service.get_bucket(connection, namespace.namespace_id, bucket_identifier)
        return service.create_object(connection, bucket, body).wire()


@router.post("/batch", **answers(ObjectsCreated))
def create_objects(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, bucket_identifier: str, body: CreateObjects
) -> dict[str, Any]:
    """Create up to 1,000 objects; those that are not valid are listed under `failed`, the others are kept."""
    with platform.database.transaction() as connection:
        bucket = service.get_bucket(connection, namespace.namespace_id, bucket_identifier)
        return service.create_objects(connection, bucket, body.objects)


@router.post("/list", **answers(ObjectPage))
def list_objects(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    bucket_identifier: str,
    page: PageDep,
    body: ListBody | None = None,
) -> dict[str, Any]:
    """List objects, in the order they were made."""
    page = page.within(body)
    after = page.after_number
    with platform.database.transaction() as connection:
        bucket = service.get_bucket(connection, namespace.namespace_id, bucket_identifier)
        found = queries.list_objects(connection, bucket.bucket_id, page.limit, after, page.offset)
    return wire_page(page, [stored.wire() for stored in found], str(found[-1].sequence) if found else None)


@router.get("/{object_id}", **answers(StoredObject))
def get_object(
    platform: PlatformDep, namespace: HeaderNamespace, bucket_identifier: str, object_id: str
) -> dict[str, Any]:
    """Return an object with its blobs."""
    with platform.database.transaction() as connection:
        bucket = service.get_bucket(connection, namespace.namespace_id, bucket_identifier)
        return service.get_object(connection, bucket, object_id).wire()
