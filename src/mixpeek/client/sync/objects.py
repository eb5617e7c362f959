# Made from mixpeek/client/aio/objects.py by `make client`; change that one.
"""`client.objects`: what buckets hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mixpeek.client.addresses import segment
from mixpeek.client.records import ObjectsCreated, Page, StoredObject
from mixpeek.client.response import Response
from mixpeek.client.rows import in_groups
from mixpeek.client.sync.resource import Resource, walk
from mixpeek.client.sync.world import as_they_finish

_OBJECTS_PER_REQUEST = 100


class Objects(Resource):
    """Objects of a bucket."""

    def create(
        self,
        bucket_id: str,
        blobs: Sequence[Mapping[str, Any]] = (),
        *,
        policy: str | None = None,
        **fields: Any,
    ) -> StoredObject:
        """Add one object.

        Args:
            blobs: `{"property", "type", "data"}` each.
            policy: insert, update or upsert, for a bucket with a unique key.
            fields: values of the bucket's schema, and `key_prefix` and the like.
        """
        body = {"blobs": list(blobs), **fields}
        return self._ask(StoredObject, "POST", _path(bucket_id), body=body, query={"policy": policy})

    def create_batch(
        self, bucket_id: str, objects: Sequence[Mapping[str, Any]], *, policy: str | None = None
    ) -> ObjectsCreated:
        """Add many objects at once; the answer lists `succeeded` and `failed`, each failure with its index."""
        body = {"objects": list(objects)}
        # Objects that skip duplicates do no harm if they arrive twice.
        skips = all(each.get("skip_duplicates") for each in body["objects"])
        path = f"{_path(bucket_id)}/batch"
        return self._ask(ObjectsCreated, "POST", path, body=body, query={"policy": policy}, repeatable=skips)

    def create_all(
        self,
        bucket_id: str,
        objects: Iterable[Mapping[str, Any]],
        *,
        policy: str | None = None,
        per_request: int = _OBJECTS_PER_REQUEST,
        at_once: int = 4,
    ) -> Iterator[tuple[Sequence[Mapping[str, Any]], ObjectsCreated]]:
        """Add any number of objects, `per_request` at a time and `at_once` requests side by side.

        Yields each group as given with what became of it, as it is answered; `object_index` counts within the group.
        """

        def create(group: Sequence[Mapping[str, Any]]) -> tuple[Sequence[Mapping[str, Any]], ObjectsCreated]:
            return group, self.create_batch(bucket_id, group, policy=policy)

        for made in as_they_finish(create, in_groups(objects, per_request), at_once):
            yield made

    def get(self, bucket_id: str, object_id: str) -> StoredObject:
        """Return one object."""
        return self._ask(StoredObject, "GET", _path(bucket_id, object_id))

    def list(
        self,
        bucket_id: str,
        *,
        limit: int | None = None,
        offset: int | None = None,
        cursor: str | None = None,
        **filters: Any,
    ) -> Page[StoredObject]:
        """Return one page: `results` and `pagination`; `filters` takes `filters`, `sort`, `search`, `select`."""
        return self._page(StoredObject, _path(bucket_id), limit=limit, offset=offset, cursor=cursor, body=filters)

    def iterate(
        self, bucket_id: str, *, limit: int | None = None, page_size: int | None = None, **filters: Any
    ) -> Iterator[StoredObject]:
        """Yield objects from all pages, `limit` at most."""
        return walk(lambda cursor: self.list(bucket_id, limit=page_size, cursor=cursor, **filters), limit)

    def update(self, bucket_id: str, object_id: str, **fields: Any) -> StoredObject:
        """Change the fields given, and leave the others."""
        return self._ask(StoredObject, "PATCH", _path(bucket_id, object_id), body=fields)

    def delete(self, bucket_id: str, object_id: str) -> Response:
        """Delete one object."""
        return self._transport.request("DELETE", _path(bucket_id, object_id))


def _path(bucket_id: str, object_id: str | None = None) -> str:
    objects = f"/buckets/{segment(bucket_id)}/objects"
    return objects if object_id is None else f"{objects}/{segment(object_id)}"
