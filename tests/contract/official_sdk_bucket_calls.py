"""Run by the official SDK's own Python: buckets, objects, uploads, collections and batches, by both its clients.

Usage: official_sdk_bucket_calls.py URL KEY NAMESPACE EXTRACTOR; the namespace has that extractor's version 1.0.0.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from typing import Any

from mixpeek import (
    AddObjectsToBatchRequest,
    ApiClient,
    BucketBatchesApi,
    BucketCreateRequest,
    BucketObjectsApi,
    BucketPatchRequest,
    BucketsApi,
    BucketUpdateRequest,
    BucketUploadsApi,
    CloneCollectionRequest,
    CollectionsApi,
    Configuration,
    ConfirmUploadRequest,
    CreateBatchRequest,
    CreateCollectionRequest,
    CreateObjectRequest,
    CreateObjectsBatchRequest,
    CreateUploadRequest,
    ListBatchesRequest,
    ListBucketsRequest,
    ListCollectionsRequest,
    ListObjectsRequest,
    ListUploadsRequest,
    LogicalOperatorInput,
    Mixpeek,
    PatchObjectRequest,
    RetryBatchRequest,
    SubmitBatchRequest,
    TasksApi,
    TriggerCollectionRequest,
    UpdateObjectRequest,
)

_WAIT_S = 60
PROPERTIES = {"content": {"type": "text"}, "topic": {"type": "string"}, "photo": {"type": "image"}}


def main(url: str, key: str, namespace: str, extractor: str) -> dict[str, Any]:
    api = ApiClient(Configuration(host=url))
    auth = {"authorization": f"Bearer {key}", "x_namespace": namespace}
    made = buckets(BucketsApi(api), auth)
    bucket = made["one"]["bucket_id"]
    stored = objects(BucketObjectsApi(api), auth, bucket)
    sent = uploads(BucketUploadsApi(api), auth, bucket)
    filled = collections(api, auth, bucket, extractor)
    ids = [each["object_id"] for each in stored["listed"]["results"]]
    run = batches(api, auth, bucket, ids)
    return {
        "buckets": made,
        "objects": stored,
        "uploads": sent,
        "collections": filled,
        "batches": run,
        "short": short(Mixpeek(key, namespace=namespace, base_url=f"{url}/v1"), bucket, extractor),
    }


def buckets(calls: BucketsApi, auth: dict[str, str]) -> dict[str, Any]:
    """Make two buckets, change one, delete the other, and list what there is."""
    schema = {"properties": PROPERTIES}
    wanted = {"bucket_name": "official", "bucket_schema": schema, "metadata": {"by": "the SDK"}}
    one = calls.create_bucket(BucketCreateRequest.from_dict(wanted), **auth)
    keyed = {**wanted, "bucket_name": "keyed", "unique_key": {"fields": ["topic"], "default_policy": "upsert"}}
    other = calls.create_bucket(BucketCreateRequest.from_dict(keyed), **auth)
    patched = calls.patch_bucket(one.bucket_id, BucketPatchRequest(description="patched"), **auth)
    put = calls.update_bucket(
        other.bucket_id, BucketUpdateRequest.from_dict({"bucket_name": "put", "bucket_schema": schema}), **auth
    )
    listed = calls.list_buckets(list_buckets_request=ListBucketsRequest(search="official", limit=1), **auth)
    deleted = calls.delete_bucket(other.bucket_id, **auth)
    return {
        "one": calls.get_bucket(one.bucket_id, **auth).to_dict(),
        "patched": patched.to_dict(),
        "put": put.to_dict(),
        "listed": listed.to_dict(),
        "deleted": deleted,
    }


def objects(calls: BucketObjectsApi, auth: dict[str, str], bucket: str) -> dict[str, Any]:
    """Make, change, list and delete objects."""

    def body(text: str, topic: str) -> dict[str, Any]:
        return {"blobs": [{"property": "content", "type": "text", "data": text}], "topic": topic}

    one = calls.create_object_buckets(bucket, CreateObjectRequest.from_dict(body("apple", "fruit")), **auth)
    many = CreateObjectsBatchRequest.from_dict({"objects": [body("pear", "fruit"), body("car", "thing")]})
    made = calls.create_objects_batch_buckets(bucket, many, **auth)
    gone = made.succeeded[1].object_id
    patch = PatchObjectRequest.from_dict({"topic": "sweet"})
    patched = calls.patch_object_buckets(bucket, one.object_id, patch, **auth)
    replacement = UpdateObjectRequest.from_dict({**body("green pear", "fruit"), "metadata": {"topic": "fruit"}})
    put = calls.update_object_buckets(bucket, made.succeeded[0].object_id, replacement, **auth)
    calls.delete_object_buckets(bucket, gone, **auth)
    chosen = ListObjectsRequest(filters=LogicalOperatorInput.from_dict({"topic": "sweet"}))
    return {
        "one": calls.get_object_buckets(bucket, one.object_id, return_presigned_urls=True, **auth).to_dict(),
        "made": made.to_dict(),
        "patched": patched.to_dict(),
        "put": put.to_dict(),
        "chosen": calls.list_objects_buckets(bucket, include_total=True, list_objects_request=chosen, **auth).to_dict(),
        "listed": calls.list_objects_buckets(bucket, include_total=True, limit=10, **auth).to_dict(),
    }


def uploads(calls: BucketUploadsApi, auth: dict[str, str], bucket: str) -> dict[str, Any]:
    """Upload a picture, ask for it again, and forget it."""
    picture = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
    wanted = CreateUploadRequest(
        filename="a.gif", content_type="image/gif", file_size_bytes=len(picture), blob_property="photo"
    )
    place = calls.create_upload_buckets(bucket, wanted, **auth)
    request = urllib.request.Request(place.presigned_url, picture, {"Content-Type": "image/gif"}, method="PUT")
    with urllib.request.urlopen(request) as answer:
        etag = answer.headers["ETag"]
    confirmed = calls.confirm_upload_buckets(bucket, place.upload_id, ConfirmUploadRequest(etag=etag), **auth)
    listed = calls.list_uploads_buckets(
        bucket, include_total=True, list_uploads_request=ListUploadsRequest(return_presigned_urls=True), **auth
    )
    one = calls.get_upload_buckets(bucket, place.upload_id, **auth)
    calls.delete_upload_buckets(bucket, place.upload_id, **auth)
    return {"place": place.to_dict(), "confirmed": confirmed.to_dict(), "listed": listed.to_dict(), "one": one}


def collections(api: ApiClient, auth: dict[str, str], bucket: str, extractor: str) -> dict[str, Any]:
    """Make a collection, fill it, change it, clone it, delete the clone, and list what there is."""
    calls = CollectionsApi(api)
    wanted = {
        "collection_name": "official_words",
        "source": {"type": "bucket", "bucket_ids": [bucket]},
        "feature_extractor": {
            "feature_extractor_name": extractor,
            "version": "1.0.0",
            "input_mappings": {"text": "content"},
            "field_passthrough": [{"source_path": "topic"}],
        },
    }
    made = calls.create_collection(CreateCollectionRequest.from_dict(wanted), **auth)
    triggered = calls.trigger_collection(
        made.collection_id, trigger_collection_request=TriggerCollectionRequest(include_buckets=[bucket]), **auth
    )
    ended = wait(TasksApi(api), auth, triggered.task_id)
    updated = calls.update_collection(made.collection_id, {"description": "by the SDK"}, **auth)
    clone = calls.clone_collection(made.collection_id, CloneCollectionRequest(collection_name="a_clone"), **auth)
    listed = calls.list_collections(
        include_total=True, list_collections_request=ListCollectionsRequest(search="official_words"), **auth
    )
    deleted = calls.delete_collection(clone.collection.collection_id, **auth)
    return {
        "made": made.to_dict(),
        "triggered": triggered.to_dict(),
        "ended": ended.to_dict(),
        "one": calls.get_collection(made.collection_id, **auth).to_dict(),
        "updated": updated.to_dict(),
        "clone": clone.to_dict(),
        "listed": listed.to_dict(),
        "deleted": deleted,
    }


def batches(api: ApiClient, auth: dict[str, str], bucket: str, ids: list[str]) -> dict[str, Any]:
    """Take one batch to its end and another to its cancellation."""
    calls = BucketBatchesApi(api)
    draft = calls.create_batch_buckets_batches(bucket, CreateBatchRequest(object_ids=ids[:1]), **auth)
    batch = draft.batch_id
    added = calls.add_objects_to_batch_buckets_batches(bucket, batch, AddObjectsToBatchRequest(object_ids=ids), **auth)
    submitted = calls.submit_batch_buckets_batches(bucket, batch, submit_batch_request=SubmitBatchRequest(), **auth)
    ended = wait(TasksApi(api), auth, submitted.task_id)
    failed = calls.get_failed_documents_buckets_batches_batch(bucket, batch, limit=5, **auth)
    retried = calls.retry_batch_buckets_batches(bucket, batch, RetryBatchRequest(retry_mode="all"), **auth)
    wait(TasksApi(api), auth, str(retried["task_id"]))
    other = calls.create_batch_buckets_batches(bucket, CreateBatchRequest(object_ids=ids), **auth)
    cancelled = calls.cancel_batch_buckets_batches(bucket, other.batch_id, **auth)
    listed = calls.list_batches_buckets(
        bucket, list_batches_request=ListBatchesRequest(status="CANCELED", limit=1), **auth
    )
    deleted = calls.delete_batch_buckets_batches(bucket, other.batch_id, **auth)
    return {
        "draft": draft.to_dict(),
        "added": added.to_dict(),
        "ended": ended.to_dict(),
        "one": calls.get_batch_buckets_batches(bucket, batch, **auth).to_dict(),
        "failed": failed,
        "logs": calls.get_batch_logs_buckets_batches(bucket, batch, **auth),
        "cancelled": cancelled.to_dict(),
        "listed": listed.to_dict(),
        "deleted": deleted.to_dict(),
    }


def short(client: Mixpeek, bucket: str, extractor: str) -> dict[str, Any]:
    """Make the calls of the client that writes `name` for every name."""
    extra = client.buckets.create(name="short", bucket_schema={"properties": PROPERTIES})["bucket_id"]
    put = client.buckets.upload(extra, blobs=[{"property": "content", "type": "text", "data": "a"}])
    made = client.collections.create(
        name="short_words",
        source={"type": "bucket", "bucket_ids": [extra]},
        feature_extractor={
            "feature_extractor_name": extractor,
            "version": "1.0.0",
            "input_mappings": {"text": "content"},
        },
    )
    collection = made["collection_id"]
    return {
        "buckets": client.buckets.list(),
        "bucket": client.buckets.get(bucket),
        "put": put,
        "objects": client.buckets.list_objects(extra, page_size=1),
        "collection": client.collections.get(collection),
        "collections": client.collections.list(),
        "triggered": client.collections.trigger(collection),
        "deleted": [client.collections.delete(collection), client.buckets.delete(extra)],
    }


def wait(api: TasksApi, auth: dict[str, str], task: str) -> Any:
    deadline = time.monotonic() + _WAIT_S
    while (found := api.get_task(task, authorization=auth["authorization"])).status not in {
        "COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED",
    }:  # fmt: skip
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:]), default=str))
