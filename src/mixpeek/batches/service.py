"""Starting batches: over a collection's buckets (trigger), or over chosen objects (create, then submit)."""

from __future__ import annotations

from typing import Any

from mixpeek.batches import queries
from mixpeek.batches.models import Batch
from mixpeek.batches.schemas import CreateBatch
from mixpeek.catalog import queries as catalog_queries
from mixpeek.catalog.models import Bucket
from mixpeek.collections import queries as collection_queries
from mixpeek.collections.models import Collection
from mixpeek.collections.service import get_collection
from mixpeek.db.pool import Connection, new_id
from mixpeek.errors import Conflict, InvalidRequest, NotFound
from mixpeek.tenancy.models import Namespace
from mixpeek.workflows import tasks

RUN_BATCH = "run_batch"


def trigger(
    connection: Connection, namespace: Namespace, collection: Collection, include_buckets: list[str] | None
) -> dict[str, Any]:
    """Run a collection's extractor over every object its buckets hold now; return the documented 202 body."""
    bucket_ids: list[str] = collection.source["bucket_ids"]
    if include_buckets is not None:
        foreign = sorted(set(include_buckets) - set(bucket_ids))
        if foreign:
            raise InvalidRequest(
                f"{', '.join(foreign)} is no source of this collection", hint=f"Its buckets: {', '.join(bucket_ids)}"
            )
        bucket_ids = include_buckets
    batch_id = new_id("btch", 12)
    task_id = _submit_task(connection, namespace, "api_collections_trigger", batch_id)
    snapshot = queries.highest_sequence(connection, bucket_ids)
    queries.insert_batch(
        connection,
        {
            "batch_id": batch_id,
            "namespace_id": namespace.namespace_id,
            "bucket_ids": bucket_ids,
            "collection_ids": [collection.collection_id],
            "object_ids": None,
            "snapshot": snapshot,
            "status": "PENDING",
            "task_id": task_id,
        },
    )
    batch = queries.find_batch(connection, batch_id)
    assert batch is not None
    objects = queries.count_objects(connection, batch)
    return {
        "batch_id": batch_id,
        "task_id": task_id,
        "collection_id": collection.collection_id,
        "source_bucket_ids": bucket_ids,
        "source_collection_ids": [],
        "object_count": objects,
        "document_count": 0,
        "total_tiers": 1,
        "message": f"{objects} objects queued; poll GET /v1/tasks/{task_id}",
    }


def create_batch(connection: Connection, namespace: Namespace, bucket: Bucket, body: CreateBatch) -> Batch:
    """Make a DRAFT batch of chosen objects for the collections that read their bucket."""
    found = {o.object_id for o in catalog_queries.find_objects(connection, body.object_ids)
             if o.bucket_id == bucket.bucket_id}  # fmt: skip
    missing = [identifier for identifier in body.object_ids if identifier not in found]
    if missing:
        raise NotFound("object", missing[0], hint=f"{len(missing)} of the objects are not in this bucket")
    if body.collection_ids is None:
        collections = collection_queries.list_by_bucket(connection, namespace.namespace_id, bucket.bucket_id)
    else:
        collections = [get_collection(connection, namespace.namespace_id, name) for name in body.collection_ids]
    if not collections:
        raise InvalidRequest(
            "No collection reads from this bucket", hint="Create a collection whose source is this bucket"
        )
    batch_id = new_id("btch", 12)
    queries.insert_batch(
        connection,
        {
            "batch_id": batch_id,
            "namespace_id": namespace.namespace_id,
            "bucket_ids": [bucket.bucket_id],
            "collection_ids": [collection.collection_id for collection in collections],
            "object_ids": body.object_ids,
            "snapshot": None,
            "status": "DRAFT",
            "task_id": None,
        },
    )
    return get_batch(connection, namespace, bucket, batch_id)


def submit_batch(connection: Connection, namespace: Namespace, bucket: Bucket, batch_id: str) -> tasks.Task:
    """Start a DRAFT batch.

    Raises: Conflict: it was submitted before.
    """
    batch = get_batch(connection, namespace, bucket, batch_id, lock=True)
    if batch.status != "DRAFT":
        raise Conflict(f"Batch {batch_id} is {batch.status} already", hint=f"Poll GET /v1/tasks/{batch.task_id}")
    task_id = _submit_task(connection, namespace, "api_buckets_batches_process", batch_id)
    queries.start_batch(connection, batch_id, task_id, queries.highest_sequence(connection, batch.bucket_ids))
    return tasks.get_task(connection, namespace.organization_id, task_id)


def get_batch(
    connection: Connection, namespace: Namespace, bucket: Bucket, batch_id: str, *, lock: bool = False
) -> Batch:
    batch = queries.find_bucket_batch(connection, namespace.namespace_id, bucket.bucket_id, batch_id, lock=lock)
    if batch is None:
        raise NotFound("batch", batch_id)
    return batch


def _submit_task(connection: Connection, namespace: Namespace, task_type: str, batch_id: str) -> str:
    return tasks.submit(
        connection,
        workflow=RUN_BATCH,
        task_type=task_type,
        organization_id=namespace.organization_id,
        namespace_id=namespace.namespace_id,
        inputs={"batch_id": batch_id},
    )
