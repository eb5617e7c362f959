"""Starting batches: over what a collection reads (trigger), or over chosen objects (create, then submit).

Either way the collections that read what is filled are filled after it, tier by tier.
"""

from __future__ import annotations

from typing import Any

from mixpeek.batches import chunk_queries, outcome_queries, progress_queries, queries, tier_queries
from mixpeek.batches.deletions import watch
from mixpeek.batches.faults import TRANSIENT
from mixpeek.batches.models import Batch, Tier
from mixpeek.batches.planning import tiers_from
from mixpeek.batches.schemas import CreateBatch, RetryBatch
from mixpeek.catalog import queries as catalog_queries
from mixpeek.catalog.models import Bucket
from mixpeek.collections import queries as collection_queries
from mixpeek.collections.generations import cancel_build
from mixpeek.collections.models import Collection
from mixpeek.collections.schemas import Trigger
from mixpeek.collections.service import get_collection
from mixpeek.collections.source_filters import read_source_filter
from mixpeek.db.pool import Connection, new_id
from mixpeek.errors import Conflict, InvalidRequest, NotFound
from mixpeek.tenancy.models import Namespace
from mixpeek.workflows import tasks

RUN_BATCH = "run_batch"


def trigger(connection: Connection, namespace: Namespace, collection: Collection, body: Trigger) -> dict[str, Any]:
    """Run a collection's extractor over all that its source holds now, then those of the collections that read it.

    Returns: the documented 202 body.
    Raises: InvalidRequest: the body names what is no source of the collection. Conflict: it is disabled.
    """
    if not collection.enabled:
        raise Conflict(
            f"The collection {collection.collection_name!r} is disabled",
            hint=f'PATCH /v1/collections/{collection.collection_id} with {{"enabled": true}}',
        )
    if body.source_filters:
        read_source_filter(body.source_filters)
    reads_buckets = collection.source["type"] == "bucket"
    bucket_ids = _included(connection, namespace, collection, "bucket", body.include_buckets)
    source_ids = _included(connection, namespace, collection, "collection", body.include_collections)
    batch_id = new_id("btch", 12)
    task_id = _submit_task(connection, namespace, "api_collections_trigger", batch_id)
    batch = _insert(
        connection,
        namespace,
        [collection],
        batch_id=batch_id,
        type="BUCKET" if reads_buckets else "COLLECTION",
        # A batch is found under a bucket: one over documents under those that their objects lie in.
        bucket_ids=bucket_ids if reads_buckets else collection.source.get("inherited_bucket_ids", []),
        source_collection_ids=source_ids,
        source_filters=body.source_filters,
        snapshot=queries.highest_sequence(connection, bucket_ids),
        status="PENDING",
        task_id=task_id,
    )
    objects, documents = _count_sources(connection, namespace, batch)
    words = f"{objects} objects" if reads_buckets else f"{documents} documents"
    if body.source_filters or collection.source.get("source_filters"):
        words = f"Those of {words} that the filters let through"
    return {
        "batch_id": batch_id,
        "task_id": task_id,
        "collection_id": collection.collection_id,
        "source_bucket_ids": bucket_ids,
        "source_collection_ids": source_ids,
        "object_count": objects,
        "document_count": documents,
        "total_tiers": len(batch.tiers),
        "message": f"{words} queued; poll GET /v1/tasks/{task_id}",
    }


def build_generation(
    connection: Connection, namespace: Namespace, collection: Collection, generation: int
) -> tuple[str, str]:
    """Fill a generation of a collection with all that its source holds, and nothing that others make of it.

    Returns: the ids of the batch and of its task.
    """
    reads_buckets = collection.source["type"] == "bucket"
    bucket_ids: list[str] = collection.source.get("bucket_ids" if reads_buckets else "inherited_bucket_ids", [])
    batch_id = new_id("btch", 12)
    task_id = _submit_task(connection, namespace, "api_collections_upgrade", batch_id)
    _insert(
        connection,
        namespace,
        [collection],
        batch_id=batch_id,
        type="BUCKET" if reads_buckets else "COLLECTION",
        bucket_ids=bucket_ids,
        source_collection_ids=collection.source.get("collection_ids", []),
        snapshot=queries.highest_sequence(connection, bucket_ids),
        status="PENDING",
        task_id=task_id,
        fills=generation,
    )
    return batch_id, task_id


def _included(
    connection: Connection, namespace: Namespace, collection: Collection, kind: str, chosen: list[str] | None
) -> list[str]:
    """Return the ids of the sources of one kind that a run reads: those chosen, by id or name, else all."""
    own: list[str] = collection.source.get(f"{kind}_ids", [])
    if chosen is None:
        return own
    named = collection_queries.find_source_names(connection, namespace.namespace_id, kind, own)
    foreign = sorted(one for one in chosen if one not in own and one not in named)
    if foreign or not chosen:
        what = ", ".join(foreign) or "No source"
        raise InvalidRequest(
            f"`include_{kind}s`: {what} is no {kind} that this collection reads",
            hint=f"It reads {', '.join(own) or 'none'}",
        )
    return [one for one in own if one in {named.get(name, name) for name in chosen}]


def _count_sources(connection: Connection, namespace: Namespace, batch: Batch) -> tuple[int, int]:
    """Count the objects and the documents that a batch begins with, before filters."""
    if batch.type == "BUCKET":
        return queries.count_objects(connection, batch, batch.bucket_ids), 0
    found = [get_collection(connection, namespace.namespace_id, one) for one in batch.source_collection_ids]
    return 0, sum(collection.document_count for collection in found)


def _insert(
    connection: Connection,
    namespace: Namespace,
    start: list[Collection],
    *,
    batch_id: str,
    **fields: Any,
) -> Batch:
    """Insert a batch that begins with collections of one kind of source, and its tiers."""
    row = {
        "batch_id": batch_id,
        "namespace_id": namespace.namespace_id,
        "collection_ids": [],
        "object_ids": None,
        "source_collection_ids": [],
        "source_filters": None,
        **fields,
    }
    queries.insert_batch(connection, row)
    batch = _found(connection, batch_id)
    if batch.fills is not None:
        first = "bucket" if batch.type == "BUCKET" else "collection"
        only = [collection.collection_id for collection in start]
        tier_queries.replace_tiers(
            connection, batch_id, [Tier(batch_id, 0, only, first, batch.source_collection_ids, "PENDING")]
        )
    else:
        _resolve_tiers(connection, batch, [collection.collection_id for collection in start])
    if batch.status != "DRAFT":
        watch(connection, batch_id)
    return _found(connection, batch_id)


def _resolve_tiers(connection: Connection, batch: Batch, start: list[str]) -> None:
    """Record which collections a batch fills and in which order: those it starts with, then all that read from them."""
    readers = collection_queries.list_collection_readers(connection, batch.namespace_id)
    tiers = tiers_from(start, readers)
    first = "bucket" if batch.type == "BUCKET" else "collection"
    made = [Tier(batch.batch_id, 0, tiers[0], first, batch.source_collection_ids, "PENDING")]
    for number, collection_ids in enumerate(tiers[1:], start=1):
        before = [one for tier in tiers[:number] for one in tier]
        sources = [one for one in before if set(readers.get(one, ())) & set(collection_ids)]
        made.append(Tier(batch.batch_id, number, collection_ids, "collection", sources, "PENDING"))
    tier_queries.replace_tiers(connection, batch.batch_id, made)


def _found(connection: Connection, batch_id: str) -> Batch:
    batch = queries.find_batch(connection, batch_id)
    assert batch is not None
    return batch


def create_batch(connection: Connection, namespace: Namespace, bucket: Bucket, body: CreateBatch) -> Batch:
    """Make a DRAFT batch of chosen objects for the collections that read their bucket."""
    _check_objects(connection, bucket, body.object_ids)
    if body.collection_ids is None:
        collections = collection_queries.list_by_bucket(connection, namespace.namespace_id, bucket.bucket_id)
    else:
        collections = [get_collection(connection, namespace.namespace_id, name) for name in body.collection_ids]
        foreign = [c.collection_name for c in collections if bucket.bucket_id not in c.source.get("bucket_ids", [])]
        if foreign:
            raise InvalidRequest(
                f"`collection_ids`: {', '.join(foreign)} does not read this bucket",
                hint="Name collections whose source is this bucket; those that read from them follow by themselves",
            )
    if not collections:
        raise InvalidRequest(
            "No collection reads from this bucket", hint="Create a collection whose source is this bucket"
        )
    batch_id = new_id("btch", 12)
    return _insert(
        connection,
        namespace,
        collections,
        batch_id=batch_id,
        type="BUCKET",
        bucket_ids=[bucket.bucket_id],
        object_ids=body.object_ids,
        snapshot=None,
        status="DRAFT",
        task_id=None,
    )


def submit_batch(connection: Connection, namespace: Namespace, bucket: Bucket, batch_id: str) -> tasks.Task:
    """Start a DRAFT batch.

    Raises: Conflict: it was submitted before.
    """
    batch = get_batch(connection, namespace, bucket, batch_id, lock=True)
    if batch.status != "DRAFT":
        raise Conflict(f"Batch {batch_id} is {batch.status} already", hint=f"Poll GET /v1/tasks/{batch.task_id}")
    # Since it was drafted, collections that read what it fills may have come or gone.
    _resolve_tiers(connection, batch, batch.tiers[0]["collection_ids"])
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
        causes = outcome_queries.count_causes(connection, batch.batch_id)
        queries.cancel_batch(connection, batch.batch_id, task_id, causes)
        tier_queries.close_tiers(connection, batch.batch_id, None, status="CANCELED")
        cancel_build(connection, batch.batch_id)
        for collection_id, generation in tier_queries.list_generations(connection, batch.batch_id).items():
            collection_queries.drop_building(connection, collection_id, [generation])
        counts = progress_queries.totals(connection, batch.batch_id)
        outputs = {"batch_id": batch.batch_id, "documents_written": counts["written"], **counts, "causes": causes}
        tasks.update_task(connection, task_id, "CANCELED", outputs=outputs, progress={"progress": counts})
    return tasks.get_task(connection, namespace.organization_id, task_id)


def retry_batch(
    connection: Connection, namespace: Namespace, bucket: Bucket, batch_id: str, body: RetryBatch
) -> dict[str, Any]:
    """Run what failed again: its failed rows, and the chunks and tiers that a batch which was stopped never came to.

    Tiers after the first one with anything to run are run whole, from what is stored by then.

    Raises: Conflict: it is a draft, or still under way. InvalidRequest: it has no such tier.
    """
    batch = get_batch(connection, namespace, bucket, batch_id, lock=True)
    if batch.status not in tasks.TERMINAL:
        raise Conflict(
            f"Batch {batch_id} is {batch.status}; what failed is known once it has ended",
            hint="Submit it" if batch.status == "DRAFT" else f"Poll GET /v1/tasks/{batch.task_id}",
        )
    filled = batch.fills
    if filled is not None and collection_queries.find_generation(connection, batch.collection_ids[0], filled) is None:
        raise Conflict(
            f"Batch {batch_id} filled a generation that is gone", hint="Begin the upgrade of the collection again"
        )
    collection_ids = collections_of_tiers(batch, body.tier_nums)
    causes = sorted(TRANSIENT) if body.retry_mode == "transient_only" else None
    rows = chunk_queries.plan_retries(connection, batch_id, collection_ids, causes, body.max_retry_count)
    progress_queries.recount(connection, batch_id)
    open_chunks = {c: len(chunk_queries.list_open_chunks(connection, batch_id, c)) for c in collection_ids}
    chunks = sum(open_chunks.values())
    answer = {
        "batch_id": batch_id,
        "task_id": batch.task_id,
        "status": batch.status,
        "retry_mode": body.retry_mode,
        "rows_to_retry": rows,
        "chunks_to_run": chunks,
        "message": "Nothing is left to retry",
    }
    unplanned = None if batch.snapshot is None else first_unplanned(batch)  # without one, it was never submitted
    if unplanned is not None and not set(batch.dag_tiers[unplanned]) <= set(collection_ids):
        unplanned = None
    if not chunks and unplanned is None:
        return answer
    begun = [number for number, tier in enumerate(batch.dag_tiers) if any(open_chunks.get(c) for c in tier)]
    tier_queries.reopen_tiers(connection, batch_id, begun[0] if begun else None, unplanned)
    progress_queries.recount(connection, batch_id)
    task_id = _submit_task(connection, namespace, "api_buckets_batches_process", batch_id)
    queries.restart_batch(connection, batch_id, task_id)
    return {
        **answer,
        "task_id": task_id,
        "status": "PENDING",
        "message": f"{f'{rows} failed rows are run again' if begun else 'The batch goes on'};"
        f" poll GET /v1/tasks/{task_id}",
    }


def delete_batch(connection: Connection, namespace: Namespace, bucket: Bucket, batch_id: str) -> None:
    """Delete the record of a batch; the documents it made stay.

    Raises: Conflict: it is under way.
    """
    batch = get_batch(connection, namespace, bucket, batch_id, lock=True)
    if batch.status not in (*tasks.TERMINAL, "DRAFT"):
        raise Conflict(f"Batch {batch_id} is {batch.status}", hint="Cancel it first, or wait until it has ended")
    queries.delete_batch(connection, batch_id)


def first_unplanned(batch: Batch) -> int | None:
    """Return the tier that a batch was about to plan when it was stopped; None if it was within one, or one failed."""
    for tier in batch.tiers:
        if tier["started_at"] is None:
            return int(tier["tier_num"])
        if tier["status"] not in ("COMPLETED", "COMPLETED_WITH_ERRORS"):
            return None
    return None


def collections_of_tiers(batch: Batch, tier_nums: list[int] | None) -> list[str]:
    """Return the collections of these tiers, of all where none is named; raise InvalidRequest for one it has not."""
    tiers = batch.dag_tiers
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
