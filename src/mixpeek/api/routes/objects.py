"""Objects of a bucket."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, ValidationError

from mixpeek.api.access import Deleter, HeaderNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.paging import ListedPageDep, ListRequest, wire_found
from mixpeek.api.platform import Platform
from mixpeek.api.routes.plugins import signed_url
from mixpeek.api.schemas.buckets import ObjectPage, ObjectsCreated, StoredObject
from mixpeek.batches import service as batches
from mixpeek.batches.schemas import CreateBatch
from mixpeek.catalog import objects, queries, service
from mixpeek.catalog.contents import FILE_KINDS
from mixpeek.catalog.models import Bucket
from mixpeek.catalog.objects import Wanted
from mixpeek.catalog.schemas import ChangeObject, CreateObject, CreateObjects, Policy, ReplaceObject
from mixpeek.db.pool import Connection
from mixpeek.documents.editing import selected
from mixpeek.errors import MixpeekError
from mixpeek.objects.assets import asset_prefix, key_from_asset_url
from mixpeek.tenancy.models import Namespace
from mixpeek.text import storable

router = APIRouter(prefix="/v1/buckets/{bucket_identifier}/objects", tags=["objects"])

# Objects of one request whose content is taken in side by side; mostly they wait for what they fetch.
_TAKEN_AT_ONCE = 4
_FILE_URL_S = 3600

PolicyQuery = Annotated[
    Policy | None,
    Query(description="What becomes of an object whose unique key another one has; default: as the bucket says."),
]
_IDS = ("object_id", "bucket_id")
AutoProcess = Annotated[bool, Query(description="Run the collections that read the bucket over what was written.")]


@router.post("", **answers(StoredObject, 409))
def create_object(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    bucket_identifier: str,
    body: CreateObject,
    policy: PolicyQuery = None,
    auto_process: AutoProcess = False,
) -> dict[str, Any]:
    """Create an object, checked against its bucket's schema, or replace the one that has its unique key."""
    bucket = _bucket(platform, namespace, bucket_identifier)
    chosen = objects.policy_of(bucket, policy)
    wanted = _wanted(platform, bucket, body)
    with platform.database.transaction() as connection:
        (written,) = objects.write_objects(connection, platform.documents, bucket, [wanted], chosen)
        if isinstance(written, MixpeekError):
            raise written
        answer = objects.get_object(connection, bucket, written).wire()
        return {**answer, **(_process(connection, namespace, bucket, [written]) if auto_process else {})}


@router.post("/batch", **answers(ObjectsCreated))
def create_objects(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    bucket_identifier: str,
    body: CreateObjects,
    policy: PolicyQuery = None,
    auto_process: AutoProcess = False,
) -> dict[str, Any]:
    """Create up to 1,000 objects; those that are not valid are listed under `failed`, the others are kept."""
    bucket = _bucket(platform, namespace, bucket_identifier)
    chosen = objects.policy_of(bucket, policy)

    def taken(given: dict[str, Any]) -> Wanted | Exception:
        try:
            return _wanted(platform, bucket, CreateObject.model_validate(given))
        except (MixpeekError, ValidationError) as error:
            return error

    with ThreadPoolExecutor(_TAKEN_AT_ONCE, thread_name_prefix="intake") as pool:
        drafts = list(pool.map(taken, body.objects))
    valid = {place: draft for place, draft in enumerate(drafts) if isinstance(draft, Wanted)}
    failed = {place: draft for place, draft in enumerate(drafts) if isinstance(draft, Exception)}
    with platform.database.transaction() as connection:
        results = objects.write_objects(connection, platform.documents, bucket, list(valid.values()), chosen)
        outcomes = dict(zip(valid, results, strict=True))
        failed |= {place: outcome for place, outcome in outcomes.items() if isinstance(outcome, MixpeekError)}
        ids = [outcome for outcome in outcomes.values() if isinstance(outcome, str)]
        stored = {each.object_id: each.wire() for each in queries.find_objects(connection, ids)}
        started = _process(connection, namespace, bucket, list(stored)) if auto_process and stored else {}
    return {
        "succeeded": [stored[object_id] for object_id in ids],
        "failed": [_failure(place, error) for place, error in sorted(failed.items())],
        "total_requested": len(drafts),
        "succeeded_count": len(ids),
        "failed_count": len(failed),
        **started,
    }


class ListObjects(ListRequest):
    """What to list, and what to show of it."""

    select: list[str] | None = Field(None, max_length=200, description="Only these fields, beside the ids.")


@router.post("/list", **answers(ObjectPage))
def list_objects(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    bucket_identifier: str,
    listed: ListedPageDep,
    body: ListObjects | None = None,
) -> dict[str, Any]:
    """List objects, in the order they were made unless sorted."""
    body = body or ListObjects()
    query = listed.query(body)
    with platform.database.transaction() as connection:
        bucket = service.get_bucket(connection, namespace.namespace_id, bucket_identifier)
        found = queries.list_objects(connection, bucket.bucket_id, query)
    results = [stored.wire() for stored in found.rows]
    if body.select is not None:
        results = [selected(each, body.select, _IDS) for each in results]
    return wire_found(query, results, found)


@router.get("/{object_id}", **answers(StoredObject))
def get_object(
    request: Request,
    platform: PlatformDep,
    namespace: HeaderNamespace,
    bucket_identifier: str,
    object_id: str,
    return_presigned_urls: Annotated[bool, Query(description="Also return signed URLs of files, for an hour.")] = False,
) -> dict[str, Any]:
    """Return an object with its blobs."""
    with platform.database.transaction() as connection:
        bucket = service.get_bucket(connection, namespace.namespace_id, bucket_identifier)
        answer = objects.get_object(connection, bucket, object_id).wire()
    if return_presigned_urls:
        answer["blobs"] = [
            {**blob, "presigned_url": _file_url(request, platform, namespace, blob)} for blob in answer["blobs"]
        ]
    return answer


@router.put("/{object_id}", **answers(StoredObject, 409))
def replace_object(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    bucket_identifier: str,
    object_id: str,
    body: ReplaceObject,
) -> dict[str, Any]:
    """Replace what an object holds; it keeps its id, so its documents are overwritten when it is processed again."""
    bucket = _bucket(platform, namespace, bucket_identifier)
    new = objects.complete(bucket, platform.intake.draft(bucket, body))
    with platform.database.transaction() as connection:
        return objects.replace_object(connection, platform.documents, bucket, object_id, new).wire()


@router.patch("/{object_id}", **answers(StoredObject, 409))
def change_object(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    bucket_identifier: str,
    object_id: str,
    body: ChangeObject,
) -> dict[str, Any]:
    """Change what is given of an object: fields by name (null removes one), blobs by property."""
    bucket = _bucket(platform, namespace, bucket_identifier)
    change = platform.intake.draft(bucket, body, is_change=True)
    with platform.database.transaction() as connection:
        return objects.change_object(connection, platform.documents, bucket, object_id, change).wire()


@router.delete("/{object_id}", response_class=Response, **answers(None, status=204))
def delete_object(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Deleter, bucket_identifier: str, object_id: str
) -> Response:
    """Delete an object, and with it the documents that collections made of it."""
    with platform.database.transaction() as connection:
        bucket = service.get_bucket(connection, namespace.namespace_id, bucket_identifier)
        objects.delete_object(connection, platform.documents, bucket, object_id)
    return Response(status_code=204)


def _bucket(platform: Platform, namespace: Namespace, identifier: str) -> Bucket:
    with platform.database.transaction() as connection:
        return service.get_bucket(connection, namespace.namespace_id, identifier)


def _file_url(request: Request, platform: Platform, namespace: Namespace, blob: dict[str, Any]) -> str | None:
    key = key_from_asset_url(blob["data"]) if blob["type"] in FILE_KINDS else None
    if key is None or not key.startswith(asset_prefix(namespace.namespace_id)):
        return None
    return signed_url(request, platform, "GET", key, _FILE_URL_S, 0)


def _wanted(platform: Platform, bucket: Bucket, body: CreateObject) -> Wanted:
    return Wanted(objects.complete(bucket, platform.intake.draft(bucket, body)), body.skip_duplicates)


def _process(connection: Connection, namespace: Namespace, bucket: Bucket, object_ids: list[str]) -> dict[str, Any]:
    """Start a batch over these objects in the transaction that wrote them; raises where no collection reads them."""
    batch = batches.create_batch(connection, namespace, bucket, CreateBatch(object_ids=object_ids))
    task = batches.submit_batch(connection, namespace, bucket, batch.batch_id)
    return {"batch_id": batch.batch_id, "task_id": task.task_id}


def _failure(place: int, error: Exception) -> dict[str, Any]:
    if isinstance(error, ValidationError):
        words = "; ".join(f"{'.'.join(map(str, line['loc']))}: {line['msg']}" for line in error.errors())
        return {"object_index": place, "error": storable(words), "error_type": "ValidationError"}
    assert isinstance(error, MixpeekError)
    return {"object_index": place, "error": storable(error.message), "error_type": error.type}
