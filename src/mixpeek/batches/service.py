"""Starting batches: over a collection's buckets (trigger), or over chosen objects (create, then submit)."""

from __future__ import annotations

from typing import Any

from mixpeek.batches import queries
from mixpeek.batches.faults import TRANSIENT
from mixpeek.batches.models import Batch, tiers_of
from mixpeek.batches.schemas import CreateBatch, RetryBatch
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
# How many rows a chunk of a retry has at most.
RETRY_ROWS = 256


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
    _check_objects(connection, bucket, body.object_ids)
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


def add_objects(
    connection: Connection, namespace: Namespace, bucket: Bucket, batch_id: str, object_ids: list[str]
) -> Batch:
    """Add objects to a DRAFT batch, those it has already left as they are.

    Raises: Conflict: it was submitted. NotFound: an object is not in its bucket.
    """
    batch = get_batch(connection, namespace, bucket, batch_id, lock=True)
    if batch.status != "DRAFT":
        raise Conflict(f"Batch {batch_id} is {batch.status} already", hint="Make another batch of these objects")
    _check_objects(connection, bucket, object_ids)
    queries.add_objects(connection, batch_id, object_ids)
    return get_batch(connection, namespace, bucket, batch_id)


def cancel_batch(connection: Connection, namespace: Namespace, batch: Batch) -> tasks.Task:
    """End a batch as CANCELED, now: what is committed stays, nothing is stored from here on. One that has ended stays.

    Whoever runs it notices within `runner.WATCH_S` and abandons its calls. Returns its task.
    """
    locked = queries.find_batch(connection, batch.batch_id, lock=True)
    if locked is None:
        raise NotFound("batch", batch.batch_id)
    # A draft has none yet; the one made here finds the batch ended, and ends.
    task_id = locked.task_id or _submit_task(connection, namespace, "api_buckets_batches_process", batch.batch_id)
    if locked.status not in tasks.TERMINAL:
        causes = queries.count_causes(connection, batch.batch_id)
        queries.cancel_batch(connection, batch.batch_id, task_id, causes)
        counts = queries.totals(connection, batch.batch_id)
        outputs = {"batch_id": batch.batch_id, "documents_written": counts["written"], **counts, "causes": causes}
        tasks.update_task(connection, task_id, "CANCELED", outputs=outputs, progress={"progress": counts})
    return tasks.get_task(connection, namespace.organization_id, task_id)


def retry_batch(
    connection: Connection, namespace: Namespace, bucket: Bucket, batch_id: str, body: RetryBatch
) -> dict[str, Any]:
    """Run what failed again: its failed rows, and the chunks that a batch which was stopped never came to.

    Raises: Conflict: it is a draft, or still under way. InvalidRequest: it has no such tier.
    """
    batch = get_batch(connection, namespace, bucket, batch_id, lock=True)
    if batch.status not in tasks.TERMINAL:
        raise Conflict(
            f"Batch {batch_id} is {batch.status}; what failed is known once it has ended",
            hint="Submit it" if batch.status == "DRAFT" else f"Poll GET /v1/tasks/{batch.task_id}",
        )
    collection_ids = collections_of_tiers(batch, body.tier_nums)
    causes = sorted(TRANSIENT) if body.retry_mode == "transient_only" else None
    rows = queries.plan_retries(connection, batch_id, collection_ids, causes, body.max_retry_count, RETRY_ROWS)
    chunks = sum(len(queries.list_open_chunks(connection, batch_id, c)) for c in collection_ids)
    answer = {
        "batch_id": batch_id,
        "task_id": batch.task_id,
        "status": batch.status,
        "retry_mode": body.retry_mode,
        "rows_to_retry": rows,
        "chunks_to_run": chunks,
        "message": "Nothing is left to retry",
    }
    if not chunks:
        return answer
    task_id = _submit_task(connection, namespace, "api_buckets_batches_process", batch_id)
    queries.restart_batch(connection, batch_id, task_id)
    return {
        **answer,
        "task_id": task_id,
        "status": "PENDING",
        "message": f"{rows} failed rows are run again; poll GET /v1/tasks/{task_id}",
    }


def delete_batch(connection: Connection, namespace: Namespace, bucket: Bucket, batch_id: str) -> None:
    """Delete the record of a batch; the documents it made stay.

    Raises: Conflict: it is under way.
    """
    batch = get_batch(connection, namespace, bucket, batch_id, lock=True)
    if batch.status not in (*tasks.TERMINAL, "DRAFT"):
        raise Conflict(f"Batch {batch_id} is {batch.status}", hint="Cancel it first, or wait until it has ended")
    queries.delete_batch(connection, batch_id)


def collections_of_tiers(batch: Batch, tier_nums: list[int] | None) -> list[str]:
    """Return the collections of these tiers, of all where none is named; raise InvalidRequest for one it has not."""
    tiers = tiers_of(batch)
    absent = [number for number in tier_nums or [] if not 0 <= number < len(tiers)]
    if absent:
        raise InvalidRequest(
            f"Batch {batch.batch_id} has no tier {absent[0]}", hint=f"Its tiers: 0 to {len(tiers) - 1}"
        )
    return [c for number, tier in enumerate(tiers) if tier_nums is None or number in tier_nums for c in tier]


def _check_objects(connection: Connection, bucket: Bucket, object_ids: list[str]) -> None:
    found = {
        stored.object_id
        for stored in catalog_queries.find_objects(connection, object_ids)
        if stored.bucket_id == bucket.bucket_id
    }
    missing = [identifier for identifier in object_ids if identifier not in found]
    if missing:
        raise NotFound("object", missing[0], hint=f"{len(missing)} of the objects are not in this bucket")


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
