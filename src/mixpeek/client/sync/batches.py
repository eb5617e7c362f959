# Made from mixpeek/client/aio/batches.py by `make client`; change that one.
"""`client.batches`: sets of objects on their way through the extractors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from mixpeek.client.addresses import segment
from mixpeek.client.errors import ApiError, ServerUnreachable
from mixpeek.client.events import Event
from mixpeek.client.pacing import Pace, Progress
from mixpeek.client.records import Batch, Bucket, FailedDocument, FailedDocuments, Page, Task, has_ended, page_of
from mixpeek.client.response import Response, response_from
from mixpeek.client.sync.resource import Resource, walk, walk_by_offset, without_none
from mixpeek.client.sync.waiting import wait_until
from mixpeek.client.sync.world import sleep

# The server says at least every 15 s that it is there.
_SILENCE_S = 45.0
# A server that keeps no stream of events for a batch, or none just now.
_NO_STREAM = frozenset({400, 404, 405, 406, 503})


class Batches(Resource):
    """Batches of a bucket."""

    def create(self, bucket_id: str, object_ids: Sequence[str], **fields: Any) -> Batch:
        """Create a batch of these objects; nothing runs before `submit`."""
        body = {"object_ids": list(object_ids), **fields}
        return self._ask(Batch, "POST", f"/buckets/{segment(bucket_id)}/batches", body=body)

    def add_objects(self, bucket_id: str, batch_id: str, object_ids: Sequence[str]) -> Batch:
        """Add objects to a batch that was not submitted yet."""
        body = {"object_ids": list(object_ids)}
        return self._ask(Batch, "POST", f"{_path(bucket_id, batch_id)}/objects", body=body)

    def submit(self, bucket_id: str, batch_id: str, **fields: Any) -> Task:
        """Start a batch; the answer names the `task_id` to wait for."""
        return self._ask(Task, "POST", f"{_path(bucket_id, batch_id)}/submit", body=fields)

    def get(self, bucket_id: str, batch_id: str) -> Batch:
        """Return one batch, with its progress and its errors."""
        return self._ask(Batch, "GET", _path(bucket_id, batch_id))

    def find(self, batch_id: str) -> tuple[Bucket, Batch]:
        """Return a batch of which only the id is known, and its bucket, by looking into one bucket after another.

        Raises: ApiError: 404 if no bucket of the namespace has it.
        """
        buckets = walk(lambda cursor: self._page(Bucket, "/buckets", limit=1000, cursor=cursor), None)
        for bucket in buckets:
            try:
                return bucket, self.get(bucket.bucket_id, batch_id)
            except ApiError as error:
                if error.status != 404:
                    raise
        raise ApiError(
            f"No bucket of this namespace has a batch {batch_id!r}",
            status=404,
            type="NotFoundError",
            code="request.not_found",
            hint="`mixpeek batch list --bucket BUCKET` lists the batches of a bucket",
        )

    def list(
        self,
        bucket_id: str,
        *,
        limit: int | None = None,
        offset: int | None = None,
        cursor: str | None = None,
        **filters: Any,
    ) -> Page[Batch]:
        """Return one page of a bucket's batches: `results` and `total_count`."""
        path = f"/buckets/{segment(bucket_id)}/batches"
        return self._page(Batch, path, limit=limit, offset=offset, cursor=cursor, body=filters)

    def iterate(
        self, bucket_id: str, *, limit: int | None = None, page_size: int = 100, **filters: Any
    ) -> Iterator[Batch]:
        """Yield a bucket's batches from all pages, `limit` at most."""
        return walk_by_offset(
            lambda offset, cursor: self.list(bucket_id, limit=page_size, offset=offset, cursor=cursor, **filters),
            page_size,
            limit,
        )

    def cancel(self, bucket_id: str, batch_id: str) -> Response:
        """Stop a batch; what it has stored stays."""
        return self._transport.request("POST", f"{_path(bucket_id, batch_id)}/cancel")

    def delete(self, bucket_id: str, batch_id: str) -> Response:
        """Delete the record of a batch that has ended or was never submitted; its documents stay."""
        return self._transport.request("DELETE", _path(bucket_id, batch_id))

    def diagnostics(self, batch_id: str) -> Response:
        """Return how a batch goes, tier by tier, and what to do next."""
        return self._transport.request("GET", f"/analytics/performance/batches/{segment(batch_id)}/diagnostics")

    def retry(
        self,
        bucket_id: str,
        batch_id: str,
        *,
        retry_mode: str | None = None,
        max_retry_count: int | None = None,
        tier_nums: Sequence[int] | None = None,
    ) -> Response:
        """Run again what failed, and nothing else.

        Args:
            retry_mode: `transient_only`, or `all`, as after the plugin or the data was repaired.
            max_retry_count: how often a row is tried at most, 1 to 10.
            tier_nums: only these tiers.
        """
        body = without_none(
            retry_mode=retry_mode,
            max_retry_count=max_retry_count,
            tier_nums=None if tier_nums is None else list(tier_nums),
        )
        return self._transport.request("POST", f"{_path(bucket_id, batch_id)}/retry", body=body)

    def failed_documents(
        self,
        bucket_id: str,
        batch_id: str,
        *,
        limit: int | None = None,
        offset: int | None = None,
        cursor: str | None = None,
        tier_num: int | None = None,
        collection_id: str | None = None,
    ) -> FailedDocuments:
        """Return a page of the rows that did not become documents, and of all of them how many by `causes`."""
        query = {
            "limit": limit,
            "offset": offset,
            "cursor": cursor,
            "tier_num": tier_num,
            "collection_id": collection_id,
        }
        page = self._ask(FailedDocuments, "GET", f"{_path(bucket_id, batch_id)}/failed-documents", query=query)
        if isinstance(found := page.get("failed_documents"), list):
            page["failed_documents"] = [FailedDocument(each) for each in found]
        return page

    def iterate_failed(
        self,
        bucket_id: str,
        batch_id: str,
        *,
        limit: int | None = None,
        page_size: int = 100,
        tier_num: int | None = None,
        collection_id: str | None = None,
    ) -> Iterator[FailedDocument]:
        """Yield every row that did not become a document, `limit` at most."""

        def page_at(offset: int | None, cursor: str | None) -> Page[FailedDocument]:
            page = self.failed_documents(
                bucket_id,
                batch_id,
                limit=page_size,
                offset=offset,
                cursor=cursor,
                tier_num=tier_num,
                collection_id=collection_id,
            )
            pagination = {"next_cursor": page.get("next_cursor")}
            return Page(results=page.failed_documents, pagination=pagination)

        for failed in walk_by_offset(page_at, page_size, limit):
            yield failed

    def logs(self, bucket_id: str, batch_id: str, **query: Any) -> Page[Response]:
        """Return the latest lines that the batch's hosts printed and logged, oldest first.

        Args: query: `tier_num`, `limit`, and the `cursor` of a page for the lines before it.
        """
        answer = self._transport.request("GET", f"{_path(bucket_id, batch_id)}/logs", query=query)
        return page_of(Response, answer)

    def watch(self, bucket_id: str, batch_id: str, *, poll_s: float | None = None) -> Iterator[Batch]:
        """Yield the batch as it is, and again each time it has changed, until it has ended.

        Follows the server's stream of events where it keeps one, over broken connections too; else it asks again and
        again, as it does every `poll_s` seconds if they are given.
        """
        pace = Pace(poll_s, is_watched=True)
        may_stream = poll_s is None
        last = Batch()
        while True:
            asked_at = time.monotonic()
            batch = self.get(bucket_id, batch_id)
            if batch != last:
                yield batch
            last = batch
            if batch.has_ended:
                return
            if may_stream:
                try:
                    path = f"{_path(bucket_id, batch_id)}/events"
                    with self._transport.stream(path, query={}, headers={}, silence_s=_SILENCE_S) as events:
                        for event in events:
                            told = _as_told(last, event)
                            if told.has_ended:
                                break  # only a whole answer says everything about the end
                            if told != last:
                                yield told
                            last = told
                except ServerUnreachable:
                    pass  # what the batch has come to says the next question, or that the server is gone
                except ApiError as error:
                    if error.status not in _NO_STREAM:
                        raise
                    may_stream = error.status == 503
            sleep(pace.pause_s(time.monotonic() - asked_at))

    def wait(
        self,
        bucket_id: str,
        batch_id: str,
        on_progress: Progress | None = None,
        *,
        timeout_s: float | None = None,
        poll_s: float | None = None,
    ) -> Batch:
        """Return the batch once it has ended, well or not; raise WaitTimedOut."""
        return wait_until(
            lambda _: self.get(bucket_id, batch_id),
            has_ended,
            f"Batch {batch_id}",
            Pace(poll_s, is_watched=True, may_hold=False),
            on_progress=on_progress,
            timeout_s=timeout_s,
        )


def _path(bucket_id: str, batch_id: str) -> str:
    return f"/buckets/{segment(bucket_id)}/batches/{segment(batch_id)}"


def _as_told(batch: Batch, event: Event | None) -> Batch:
    """Return the batch with what an event says about it."""
    if event is None:
        return batch
    try:
        return Batch({**batch, **response_from(event.data)})
    except ValueError:
        return batch
