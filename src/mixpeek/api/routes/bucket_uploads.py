"""Files uploaded into a bucket through signed URLs."""

from __future__ import annotations

import time
from collections import Counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from mixpeek.api.access import Deleter, HeaderNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.paging import ListedPageDep, ListRequest, wire_found
from mixpeek.api.platform import Platform
from mixpeek.api.routes.plugins import signed_url
from mixpeek.api.schemas.buckets import BucketUpload as UploadAnswer
from mixpeek.api.schemas.buckets import BucketUploadConfirmed, BucketUploadOpened, BucketUploadPage
from mixpeek.catalog import queries
from mixpeek.catalog.models import BucketUpload
from mixpeek.catalog.schemas import ConfirmBucketUpload, RequestBucketUpload
from mixpeek.catalog.service import get_bucket
from mixpeek.catalog.uploads import get_upload

router = APIRouter(prefix="/v1/buckets/{bucket_identifier}/uploads", tags=["bucket uploads"])

_FILE_URL_S = 3600


@router.post("", **answers(BucketUploadOpened, checked=True))
def request_bucket_upload(
    request: Request,
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    bucket_identifier: str,
    body: RequestBucketUpload,
) -> dict[str, Any]:
    """Open an upload and return where to PUT the file; of content the bucket has already, the upload it came by."""
    with platform.database.transaction() as connection:
        bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
        upload = platform.uploads.request(connection, bucket, body)
    if upload.status == "COMPLETED":
        duplicate = {"is_duplicate": True, "duplicate_of_upload_id": upload.upload_id}
        message = "The bucket has this content already; there is nothing to send"
        return {**upload.wire(), **duplicate, "presigned_url": None, "message": message}
    limit = platform.settings.max_blob_bytes if body.file_size_bytes is None else body.file_size_bytes
    lasts_s = max(1, int(upload.expires_at.timestamp() - time.time()))
    url = signed_url(request, platform, "PUT", upload.object_key, lasts_s, limit)
    return {**upload.wire(), "presigned_url": url, "message": "PUT the file to `presigned_url`, then confirm"}


class ListUploads(ListRequest):
    """What to list, and whether with URLs."""

    return_presigned_urls: bool = Field(False, description="Also where confirmed files can be read, for an hour.")


@router.post("/list", **answers(BucketUploadPage, checked=True))
def list_bucket_uploads(
    request: Request,
    platform: PlatformDep,
    namespace: HeaderNamespace,
    bucket_identifier: str,
    listed: ListedPageDep,
    body: ListUploads | None = None,
    status: Annotated[Literal["PENDING", "COMPLETED"] | None, Query()] = None,
) -> dict[str, Any]:
    """List uploads, by id unless sorted; `stats` are over the page."""
    query = listed.query(body)
    with platform.database.transaction() as connection:
        bucket_id = get_bucket(connection, namespace.namespace_id, bucket_identifier).bucket_id
        found = queries.list_uploads(connection, bucket_id, status, query)
    is_signed = body is not None and body.return_presigned_urls
    results = [_with_url(request, platform, each) if is_signed else each.wire() for each in found.rows]
    return {**wire_found(query, results, found), "stats": _stats(results)}


@router.get("/{upload_id}", **answers(UploadAnswer, checked=True))
def get_bucket_upload(
    request: Request,
    platform: PlatformDep,
    namespace: HeaderNamespace,
    bucket_identifier: str,
    upload_id: str,
    return_presigned_urls: Annotated[
        bool, Query(description="Also where a confirmed file can be read, for an hour.")
    ] = False,
) -> dict[str, Any]:
    """Return an upload and what became of it."""
    with platform.database.transaction() as connection:
        bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
        upload = get_upload(connection, bucket, upload_id)
    return _with_url(request, platform, upload) if return_presigned_urls else upload.wire()


@router.post("/{upload_id}/confirm", **answers(BucketUploadConfirmed, 409, checked=True))
def confirm_bucket_upload(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    bucket_identifier: str,
    upload_id: str,
    body: ConfirmBucketUpload | None = None,
) -> dict[str, Any]:
    """Take in what was PUT and, if the upload says so, make an object of it; repeated, it answers the same again."""
    with platform.database.transaction() as connection:
        bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
    sent = body or ConfirmBucketUpload()
    done = platform.uploads.confirm(bucket, upload_id, etag=sent.etag, size_bytes=sent.file_size_bytes)
    return {**done.wire(), "success": True}


@router.delete("/{upload_id}", response_class=Response, **answers(None, status=204))
def delete_bucket_upload(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Deleter, bucket_identifier: str, upload_id: str
) -> Response:
    """Forget an upload; an object that it made, and its content, stay."""
    with platform.database.transaction() as connection:
        bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
        upload = platform.uploads.delete(connection, bucket, upload_id)
    platform.objects.delete(upload.object_key)
    return Response(status_code=204)


def _with_url(request: Request, platform: Platform, upload: BucketUpload) -> dict[str, Any]:
    """Return an upload with a signed URL to read what was stored; where to PUT is told to who opens it only."""
    key = upload.asset and upload.asset["key"]
    return {
        **upload.wire(),
        "presigned_url": signed_url(request, platform, "GET", key, _FILE_URL_S, 0) if key else None,
    }


def _stats(uploads: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the documented figures of a page of uploads; one of unknown size counts as empty."""
    size = sum(upload["file_size_bytes"] or 0 for upload in uploads)
    return {
        "total_uploads": len(uploads),
        "total_size_bytes": size,
        "uploads_by_status": dict(Counter(upload["status"] for upload in uploads)),
        "avg_file_size_bytes": size / len(uploads) if uploads else 0.0,
        "unique_buckets": len({upload["bucket_id"] for upload in uploads}),
    }
