"""Batches of a bucket's objects."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from mixpeek.api.access import HeaderNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.schemas.batches import Batch, BatchWithProgress, FailedDocuments
from mixpeek.api.schemas.collections import CollectionTriggered
from mixpeek.api.schemas.tasks import Task
from mixpeek.batches import queries, service
from mixpeek.batches.schemas import CreateBatch, SubmitBatch, TriggerBucket
from mixpeek.catalog.service import get_bucket
from mixpeek.collections.schemas import Trigger
from mixpeek.collections.service import get_collection

router = APIRouter(prefix="/v1/buckets/{bucket_identifier}/batches", tags=["batches"])


@router.post("", **answers(Batch))
def create_batch(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, bucket_identifier: str, body: CreateBatch
) -> dict[str, Any]:
    """Make a DRAFT batch of chosen objects; submit it to run it."""
    with platform.database.transaction() as connection:
        bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
        return service.create_batch(connection, namespace, bucket, body).wire()


@router.post("/trigger", **answers(CollectionTriggered, status=202, checked=True))
def trigger_bucket(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, bucket_identifier: str, body: TriggerBucket
) -> dict[str, Any]:
    """Run one collection over every object of this bucket, as the collection's own trigger does."""
    with platform.database.transaction() as connection:
        bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
        collection = get_collection(connection, namespace.namespace_id, body.collection_ids[0])
        return service.trigger(connection, namespace, collection, Trigger(include_buckets=[bucket.bucket_id]))


@router.get("/{batch_id}", **answers(BatchWithProgress))
def get_batch(
    platform: PlatformDep, namespace: HeaderNamespace, bucket_identifier: str, batch_id: str
) -> dict[str, Any]:
    """Return a batch with its counts so far."""
    with platform.database.transaction() as connection:
        bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
        batch = service.get_batch(connection, namespace, bucket, batch_id)
        return {**batch.wire(), "progress": queries.totals(connection, batch_id)}


@router.post("/{batch_id}/submit", **answers(Task, 409))
def submit_batch(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    bucket_identifier: str,
    batch_id: str,
    body: SubmitBatch | None = None,
) -> dict[str, Any]:
    """Run a DRAFT batch; answers with the task to poll."""
    with platform.database.transaction() as connection:
        bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
        return service.submit_batch(connection, namespace, bucket, batch_id).wire()


@router.get("/{batch_id}/failed-documents", **answers(FailedDocuments))
def list_failed_documents(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    bucket_identifier: str,
    batch_id: str,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> dict[str, Any]:
    """List the rows that did not become documents, each with its cause."""
    with platform.database.transaction() as connection:
        bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
        service.get_batch(connection, namespace, bucket, batch_id)
        rows = queries.list_outcomes(connection, batch_id, limit, offset)
        causes = queries.count_causes(connection, batch_id)
    return {"batch_id": batch_id, "failed_documents": rows, "causes": causes, "total": sum(causes.values())}
