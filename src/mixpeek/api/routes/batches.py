"""Batches of a bucket's objects."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from mixpeek.api.access import Deleter, HeaderNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.batch_stream import Watching
from mixpeek.api.paging import ListedPage, ListedPageDep, ListRequest, Page, wire_found, wire_page
from mixpeek.api.platform import Platform
from mixpeek.api.schemas.batches import (
    Batch,
    BatchDeleted,
    BatchDiagnostics,
    BatchLogPage,
    BatchPage,
    BatchRetried,
    BatchWithProgress,
    FailedDocuments,
)
from mixpeek.api.schemas.collections import CollectionTriggered
from mixpeek.api.schemas.tasks import Task
from mixpeek.batches import models, outcome_queries, progress_queries, queries, service
from mixpeek.batches.diagnostics import diagnose
from mixpeek.batches.schemas import AddObjects, CreateBatch, RetryBatch, SubmitBatch, TriggerBucket
from mixpeek.catalog.service import get_bucket
from mixpeek.collections.queries import find_collection
from mixpeek.collections.schemas import Trigger
from mixpeek.collections.service import get_collection
from mixpeek.db.pool import Connection
from mixpeek.errors import InvalidRequest, NotFound
from mixpeek.plugin_logs.queries import list_of_batch
from mixpeek.tenancy.models import Namespace, Principal
from mixpeek.tenancy.service import get_visible_namespace

router = APIRouter(prefix="/v1/buckets/{bucket_identifier}/batches", tags=["batches"])
analytics_router = APIRouter(prefix="/v1/analytics/performance/batches", tags=["batches"])

EVENTS = {
    "schema": {"type": "string", "description": "`progress` whenever something changed, `end` when it has ended."},
    "example": 'id: 1\nevent: progress\ndata: {"batch_id": "btch_…", "status": "IN_PROGRESS", "progress": {…}}\n\n',
}
_BIGGEST_ID = 2**63 - 1
TierNumber = Annotated[int | None, Query(ge=0, le=1000, description="Only of the collections of this tier.")]


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


class ListBatches(ListRequest):
    """What to list; `status` and `collection_id` are the same as filters."""

    status: str | None = Field(None, max_length=40)
    collection_id: str | None = Field(None, max_length=256, description="Only batches that fill this collection.")

    def narrowed(self) -> ListBatches:
        """Return the same request with `collection_id` among its filters."""
        if self.collection_id is None:
            return self
        fills: dict[str, Any] = {"field": "collection_ids", "operator": "contains", "value": self.collection_id}
        return self.model_copy(update={"filters": {"AND": [fills, *([self.filters] if self.filters else [])]}})


@router.get("", **answers(BatchPage, operation_id="get_batches"))
def get_batches(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    bucket_identifier: str,
    listed: ListedPageDep,
    status: Annotated[str | None, Query(max_length=40)] = None,
) -> dict[str, Any]:
    """List a bucket's batches, newest first."""
    return _list_batches(platform, namespace, bucket_identifier, listed, ListBatches(status=status))


@router.post("/list", **answers(BatchPage))
def list_batches(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    bucket_identifier: str,
    listed: ListedPageDep,
    body: ListBatches | None = None,
) -> dict[str, Any]:
    """List a bucket's batches, newest first unless sorted."""
    return _list_batches(platform, namespace, bucket_identifier, listed, body or ListBatches())


@router.get("/{batch_id}", **answers(BatchWithProgress))
def get_batch(
    platform: PlatformDep, namespace: HeaderNamespace, bucket_identifier: str, batch_id: str
) -> dict[str, Any]:
    """Return a batch with its counts so far, how fast it goes, and why it waits if it does."""
    with platform.database.transaction() as connection:
        batch = _get(connection, namespace, bucket_identifier, batch_id)
        return {**batch.wire(), "progress": progress_queries.progress(connection, batch_id)}


@router.get("/{batch_id}/events", response_class=Response, **answers(None, also={"text/event-stream": EVENTS}))
def follow_batch(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    bucket_identifier: str,
    batch_id: str,
    authorization: Annotated[str | None, Header()] = None,
) -> Response:
    """Send the batch's progress as server-sent events until it has ended."""
    with platform.database.transaction() as connection:
        _get(connection, namespace, bucket_identifier, batch_id)
    platform.log_followers.check_room()

    def find(connection: Connection, caller: Principal) -> models.Batch:
        visible = get_visible_namespace(connection, caller, namespace.namespace_id)
        return _get(connection, visible, bucket_identifier, batch_id)

    events = Watching(platform, authorization, find).events()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


@router.post("/{batch_id}/objects", **answers(Batch, 409))
def add_batch_objects(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    bucket_identifier: str,
    batch_id: str,
    body: AddObjects,
) -> dict[str, Any]:
    """Add objects to a DRAFT batch."""
    with platform.database.transaction() as connection:
        bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
        return service.add_objects(connection, namespace, bucket, batch_id, body.object_ids).wire()


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


@router.post("/{batch_id}/cancel", **answers(Task))
def cancel_batch(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, bucket_identifier: str, batch_id: str
) -> dict[str, Any]:
    """End a batch as CANCELED, now; what is committed stays. One that has ended is left as it is."""
    with platform.database.transaction() as connection:
        batch = _get(connection, namespace, bucket_identifier, batch_id)
        return service.cancel_batch(connection, namespace, batch).wire()


@router.post("/{batch_id}/retry", **answers(BatchRetried, 409, checked=True))
def retry_batch(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    bucket_identifier: str,
    batch_id: str,
    body: RetryBatch | None = None,
) -> dict[str, Any]:
    """Run the failed rows of a batch again, and what a stopped one never came to; what is stored is not run again."""
    with platform.database.transaction() as connection:
        bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
        return service.retry_batch(connection, namespace, bucket, batch_id, body or RetryBatch())


@router.delete("/{batch_id}", **answers(BatchDeleted, 409, checked=True))
def delete_batch(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Deleter, bucket_identifier: str, batch_id: str
) -> dict[str, Any]:
    """Delete the record of a batch that has ended, or of a draft; the documents it made stay."""
    with platform.database.transaction() as connection:
        bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
        service.delete_batch(connection, namespace, bucket, batch_id)
    return {"success": True, "batch_id": batch_id, "message": "Deleted; its documents stay"}


@router.get("/{batch_id}/failed-documents", **answers(FailedDocuments))
def list_failed_documents(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    bucket_identifier: str,
    batch_id: str,
    tier_num: TierNumber = None,
    collection_id: Annotated[str | None, Query(max_length=256, description="Only of this collection.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    cursor: Annotated[str | None, Query()] = None,
) -> dict[str, Any]:
    """List the rows that did not become documents, each with its cause; `cursor` pages however many there are."""
    page = Page(limit, cursor, offset)
    after = page.after.partition("/")
    with platform.database.transaction() as connection:
        batch = _get(connection, namespace, bucket_identifier, batch_id)
        chosen = service.collections_of_tiers(batch, None if tier_num is None else [tier_num])
        if collection_id is not None:
            chosen = [identifier for identifier in chosen if identifier == collection_id]
        rows = outcome_queries.list_outcomes(
            connection, batch_id, limit, after=(after[0], after[2]), offset=offset, collection_ids=chosen
        )
        causes = outcome_queries.count_causes(connection, batch_id, chosen)
    last = f"{rows[-1]['collection_id']}/{rows[-1]['document_id']}" if rows else None
    return {
        "batch_id": batch_id,
        "failed_documents": rows,
        "causes": causes,
        "total": sum(causes.values()),
        "next_cursor": wire_page(page, rows, last)["pagination"]["next_cursor"],
    }


@router.get("/{batch_id}/logs", **answers(BatchLogPage))
def list_batch_logs(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    bucket_identifier: str,
    batch_id: str,
    tier_num: TierNumber = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query()] = None,
) -> dict[str, Any]:
    """Return the latest lines that the batch's hosts printed and logged, oldest first; the cursor leads back."""
    page = Page(limit, cursor)
    if page.after_number > _BIGGEST_ID:
        raise InvalidRequest("The cursor is not one of this log's", hint="Start without a cursor")
    with platform.database.transaction() as connection:
        batch = _get(connection, namespace, bucket_identifier, batch_id)
        plugin_ids = None
        if tier_num is not None:
            chosen = service.collections_of_tiers(batch, [tier_num])
            found = [find_collection(connection, namespace.namespace_id, identifier) for identifier in chosen]
            plugin_ids = [collection.plugin_id for collection in found if collection is not None]
        lines = list_of_batch(connection, batch_id, plugin_ids, limit, page.after_number or None)
    return wire_page(page, lines, str(lines[0]["id"]) if lines else None)


@analytics_router.get("/{batch_id}/diagnostics", **answers(BatchDiagnostics))
def diagnose_batch(
    platform: PlatformDep, namespace: HeaderNamespace, batch_id: Annotated[str, Path()]
) -> dict[str, Any]:
    """Return how a batch goes, what is worth knowing, and what to do next."""
    with platform.database.transaction() as connection:
        batch = queries.find_batch(connection, batch_id)
        if batch is None or batch.namespace_id != namespace.namespace_id:
            raise NotFound("batch", batch_id)
        counts = progress_queries.progress(connection, batch_id)
        return diagnose(batch, counts, outcome_queries.count_causes(connection, batch_id))


def _get(connection: Connection, namespace: Namespace, bucket_identifier: str, batch_id: str) -> models.Batch:
    bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
    return service.get_batch(connection, namespace, bucket, batch_id)


def _list_batches(
    platform: Platform, namespace: Namespace, bucket_identifier: str, listed: ListedPage, body: ListBatches
) -> dict[str, Any]:
    query = listed.query(body.narrowed(), always_counted=True)
    with platform.database.transaction() as connection:
        bucket = get_bucket(connection, namespace.namespace_id, bucket_identifier)
        found = queries.list_batches(connection, namespace.namespace_id, bucket.bucket_id, body.status, query)
    return {**wire_found(query, [batch.wire() for batch in found.rows], found), "total_count": found.total}
