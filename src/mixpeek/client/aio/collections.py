"""`client.collections`: documents, and the recipe that makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from mixpeek.client.addresses import segment
from mixpeek.client.aio.resource import Resource, walk
from mixpeek.client.records import Collection, Comparison, Page, Triggered, Upgrade, UpgradePlan
from mixpeek.client.response import Response


class Collections(Resource):
    """Collections, by id or name."""

    async def create(
        self,
        collection_name: str,
        source: Mapping[str, Any],
        feature_extractor: Mapping[str, Any],
        **fields: Any,
    ) -> Collection:
        """Create a collection.

        Args:
            source: `{"type": "bucket", "bucket_ids": [...]}`, or `{"type": "collection", "collection_ids": [...]}`.
            feature_extractor: `{"feature_extractor_name", "version", "parameters", "input_mappings", ...}`.
        """
        body = {
            "collection_name": collection_name,
            "source": dict(source),
            "feature_extractor": dict(feature_extractor),
            **fields,
        }
        return await self._ask(Collection, "POST", "/collections", body=body)

    async def get(self, collection_id: str) -> Collection:
        """Return one collection."""
        return await self._ask(Collection, "GET", f"/collections/{segment(collection_id)}")

    async def list(
        self, *, limit: int | None = None, offset: int | None = None, cursor: str | None = None, **filters: Any
    ) -> Page[Collection]:
        """Return one page: `results` and `pagination`."""
        return await self._page(Collection, "/collections", limit=limit, offset=offset, cursor=cursor, body=filters)

    def iterate(
        self, *, limit: int | None = None, page_size: int | None = None, **filters: Any
    ) -> AsyncIterator[Collection]:
        """Yield collections from all pages, `limit` at most."""
        return walk(lambda cursor: self.list(limit=page_size, cursor=cursor, **filters), limit)

    async def update(self, collection_id: str, **fields: Any) -> Collection:
        """Change what may change of a collection, such as `description`, `enabled` and `metadata`."""
        return await self._ask(Collection, "PATCH", f"/collections/{segment(collection_id)}", body=fields)

    async def clone(self, collection_id: str, **fields: Any) -> Response:
        """Make another collection like one, but for the fields given; the answer carries it under `collection`."""
        path = f"/collections/{segment(collection_id)}/clone"
        return await self._transport.request("POST", path, body=fields)

    async def delete(self, collection_id: str) -> Response:
        """Delete a collection with its documents."""
        return await self._transport.request("DELETE", f"/collections/{segment(collection_id)}")

    async def trigger(self, collection_id: str, **fields: Any) -> Triggered:
        """Run the extractor over the collection's source; the answer names `batch_id` and `task_id`.

        Args: fields: `include_buckets`, `include_collections`, `source_filters`.
        """
        return await self._ask(Triggered, "POST", f"/collections/{segment(collection_id)}/trigger", body=fields)

    async def upgrade(self, collection_id: str, version: str, *, start: bool = False) -> UpgradePlan:
        """Return what making a collection with another version of its extractor would change; `start` begins it.

        Begun, the answer's `upgrade` names the task that builds the documents beside those that are searched.
        """
        path = f"/collections/{segment(collection_id)}/upgrade"
        return await self._ask(UpgradePlan, "POST", path, body={"version": version, "start": start})

    async def get_upgrade(self, collection_id: str) -> Upgrade:
        """Return how the newest upgrade of a collection stands."""
        return await self._ask(Upgrade, "GET", f"/collections/{segment(collection_id)}/upgrade")

    async def compare(
        self, collection_id: str, *, queries: Sequence[str] | None = None, sample: int = 50
    ) -> Comparison:
        """Ask both generations of an upgrade the same queries, and return how their answers differ.

        Args:
            queries: texts to ask; without, the inputs of `sample` stored documents.
        """
        body = {"queries": None if queries is None else list(queries), "sample": sample}
        return await self._ask(Comparison, "POST", f"/collections/{segment(collection_id)}/upgrade/compare", body=body)

    async def switch(self, collection_id: str, *, force: str | None = None) -> Upgrade:
        """Have the new generation of an upgrade searched.

        Args:
            force: the collection's name, to switch although the new generation is not complete.
        """
        return await self._turn(collection_id, "switch", {"force": force})

    async def rollback(self, collection_id: str, *, force: str | None = None) -> Upgrade:
        """Have the former generation searched again, with all that was written since the switch."""
        return await self._turn(collection_id, "rollback", {"force": force})

    async def cancel_upgrade(self, collection_id: str) -> Upgrade:
        """End an upgrade that was not switched; its generation is dropped."""
        return await self._turn(collection_id, "cancel")

    async def drop_generation(self, collection_id: str) -> Upgrade:
        """Delete the generation that is not searched, which ends the upgrade."""
        return await self._turn(collection_id, "drop")

    async def _turn(self, collection_id: str, verb: str, body: Mapping[str, Any] | None = None) -> Upgrade:
        return await self._ask(Upgrade, "POST", f"/collections/{segment(collection_id)}/upgrade/{verb}", body=body)
