"""Collections, and triggering their batches."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mixpeek.api.access import Deleter, HeaderNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.paging import ListedPageDep, ListRequest, wire_found
from mixpeek.api.schemas.collections import (
    Collection,
    CollectionCloned,
    CollectionDeleted,
    CollectionPage,
    CollectionSegments,
    CollectionTriggered,
)
from mixpeek.batches import service as batches
from mixpeek.collections import queries, service
from mixpeek.collections.schemas import CloneCollection, CreateCollection, Trigger, UpdateCollection
from mixpeek.documents import segment_queries
from mixpeek.documents.port import Index

router = APIRouter(prefix="/v1/collections", tags=["collections"])


@router.post("", **answers(Collection, 409))
def create_collection(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, body: CreateCollection
) -> dict[str, Any]:
    """Create a collection over existing buckets, or over the documents of other collections; trigger it to fill it."""
    return service.create_collection(platform.registry, namespace.namespace_id, body).wire()


@router.post("/list", **answers(CollectionPage))
def list_collections(
    platform: PlatformDep, namespace: HeaderNamespace, listed: ListedPageDep, body: ListRequest | None = None
) -> dict[str, Any]:
    """List collections, by id unless sorted."""
    query = listed.query(body, always_counted=True)
    with platform.database.transaction() as connection:
        found = queries.list_collections(connection, namespace.namespace_id, query)
    return {**wire_found(query, [c.wire() for c in found.rows], found), "total_count": found.total}


@router.get("/{collection_identifier}", **answers(Collection))
def get_collection(platform: PlatformDep, namespace: HeaderNamespace, collection_identifier: str) -> dict[str, Any]:
    """Return a collection with what it can be searched by."""
    with platform.database.transaction() as connection:
        return service.get_collection(connection, namespace.namespace_id, collection_identifier).wire()


@router.get("/{collection_identifier}/segments", **answers(CollectionSegments))
def list_segments(platform: PlatformDep, namespace: HeaderNamespace, collection_identifier: str) -> dict[str, Any]:
    """Return how a collection's vectors are divided, and which of them are indexed; a small one has one segment."""
    with platform.database.transaction() as connection:
        collection = service.get_collection(connection, namespace.namespace_id, collection_identifier)
        index = Index(collection.collection_id, collection.live_generation)
        found = segment_queries.describe_segments(connection, index)
    return {"collection_id": index.collection_id, "generation": index.generation, "segments": found}


@router.patch("/{collection_identifier}", **answers(Collection, 409))
def update_collection(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    collection_identifier: str,
    body: UpdateCollection,
) -> dict[str, Any]:
    """Change a collection's name, description or metadata, or whether it is enabled; the rest is cloned instead."""
    with platform.database.transaction() as connection:
        return service.update_collection(connection, namespace.namespace_id, collection_identifier, body).wire()


@router.put("/{collection_identifier}", **answers(Collection, 409))
def replace_collection(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    collection_identifier: str,
    body: UpdateCollection,
) -> dict[str, Any]:
    """As PATCH, and what is left out becomes as it is in a new collection; the name stays."""
    with platform.database.transaction() as connection:
        found = service.update_collection(connection, namespace.namespace_id, collection_identifier, body, whole=True)
        return found.wire()


@router.post("/{collection_identifier}/clone", **answers(CollectionCloned, 409, status=201))
def clone_collection(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    collection_identifier: str,
    body: CloneCollection,
) -> dict[str, Any]:
    """Create a collection like this one with another source, extractor or parameters; it begins empty."""
    with platform.database.transaction() as connection:
        like = service.get_collection(connection, namespace.namespace_id, collection_identifier)
    made = service.clone_collection(platform.registry, namespace.namespace_id, like.collection_id, body)
    return {"collection": made.wire(), "source_collection_id": like.collection_id}


@router.delete("/{collection_identifier}", **answers(CollectionDeleted, 409, checked=True))
def delete_collection(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Deleter, collection_identifier: str
) -> dict[str, Any]:
    """Delete a collection with its documents and generations; refused while other collections read it."""
    with platform.database.transaction() as connection:
        collection = service.delete_collection(connection, namespace.namespace_id, collection_identifier)
    return {"success": True, "collection_id": collection.collection_id, "message": "Deleted"}


@router.post("/{collection_identifier}/trigger", **answers(CollectionTriggered, 409, status=202, checked=True))
def trigger_collection(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    collection_identifier: str,
    body: Trigger | None = None,
) -> dict[str, Any]:
    """Run the extractor over all that the collection's source holds now, then those of the collections that read it."""
    with platform.database.transaction() as connection:
        collection = service.get_collection(connection, namespace.namespace_id, collection_identifier)
        return batches.trigger(connection, namespace, collection, body or Trigger())
