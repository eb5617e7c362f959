"""Documents of a collection: listed, grouped, counted, and one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from mixpeek.api.access import HeaderNamespace, PlatformDep
from mixpeek.api.answers import answers
from mixpeek.api.blob_urls import with_signed_urls
from mixpeek.api.paging import ListedPageDep, ListRequest, wire_found, wire_pagination
from mixpeek.api.platform import Platform
from mixpeek.api.schemas.documents import Aggregation, Document, DocumentPage, Lineage
from mixpeek.collections.models import Collection
from mixpeek.collections.service import get_collection
from mixpeek.db.pool import Connection
from mixpeek.documents.editing import selected
from mixpeek.documents.lineage import lineage_of
from mixpeek.documents.port import Document as StoredDocument
from mixpeek.documents.port import Groups, Index
from mixpeek.documents.schemas import Aggregate
from mixpeek.errors import NotFound
from mixpeek.filters.model import EVERYTHING
from mixpeek.filters.query import Query as Wanted

router = APIRouter(prefix="/v1/collections/{collection_identifier}/documents", tags=["documents"])

# Of a group with more documents these are shown; its count says how many there are.
SHOWN_PER_GROUP = 100


class ListDocuments(ListRequest):
    """What to list, and what to show of it."""

    select: list[str] | None = Field(None, max_length=200, description="Only these fields, beside the ids.")
    group_by: str | None = Field(None, min_length=1)
    return_vectors: bool = False
    return_url: bool = Field(False, alias="return_presigned_urls")


def index_of(collection: Collection) -> Index:
    """Return the documents that a collection shows: those of its live generation."""
    return Index(collection.collection_id, collection.live_generation)


@router.post("/list", **answers(DocumentPage))
def list_documents(
    request: Request,
    platform: PlatformDep,
    namespace: HeaderNamespace,
    collection_identifier: str,
    listed: ListedPageDep,
    body: ListDocuments | None = None,
) -> dict[str, Any]:
    """List documents, by id unless sorted; vectors only with `return_vectors`. `stats` come with the first page."""
    body = body or ListDocuments()
    query = listed.query(body)

    def shown(document: StoredDocument) -> dict[str, Any]:
        wire = document.wire()
        if body.return_url:
            wire = with_signed_urls(wire, request, platform, namespace.namespace_id)
        return wire if body.select is None else selected(wire, body.select)

    with platform.database.transaction() as connection:
        index = index_of(get_collection(connection, namespace.namespace_id, collection_identifier))
        if body.group_by is not None:
            grouped = platform.documents.group(
                connection, index, query, body.group_by, each=SHOWN_PER_GROUP, vectors=body.return_vectors
            )
            answer = _wire_groups(query, grouped, shown)
        else:
            found = platform.documents.query(
                connection, index, replace(query, with_total=False), vectors=body.return_vectors
            )
            answer = {**wire_found(query, [shown(each) for each in found.rows], found), "groups": None}
        stats = _stats(platform, connection, index, query, body.group_by)
    if query.with_total and stats is not None:
        total = stats["total_groups"] if body.group_by else stats["total_documents"]
        answer["pagination"] = wire_pagination(query, None, total) | {
            "next_cursor": answer["pagination"]["next_cursor"]
        }
    return {
        **answer,
        "group_by_field": body.group_by,
        "stats": stats,
        "total_documents": stats["total_documents"] if stats else None,
    }


@router.post("/aggregate", **answers(Aggregation))
def aggregate_documents(
    platform: PlatformDep, namespace: HeaderNamespace, collection_identifier: str, body: Aggregate
) -> dict[str, Any]:
    """Return counts, sums, averages and extremes over documents, for each value they are grouped by."""
    with platform.database.transaction() as connection:
        index = index_of(get_collection(connection, namespace.namespace_id, collection_identifier))
        results = platform.documents.aggregate(connection, index, body)
    return {"results": results, "total_groups": len(results), "query_info": {"collection_id": index.collection_id}}


@router.get("/{document_id}", **answers(Document))
def get_document(
    request: Request,
    platform: PlatformDep,
    namespace: HeaderNamespace,
    collection_identifier: str,
    document_id: str,
    return_vectors: Annotated[bool, Query()] = False,
    return_presigned_urls: Annotated[bool, Query(description="Also return signed URLs of its blobs.")] = False,
) -> dict[str, Any]:
    """Return a document; its vectors only with `return_vectors`."""
    with platform.database.transaction() as connection:
        collection = get_collection(connection, namespace.namespace_id, collection_identifier)
        wire = find_document(platform, connection, collection, document_id, vectors=return_vectors).wire()
    return with_signed_urls(wire, request, platform, namespace.namespace_id) if return_presigned_urls else wire


@router.get("/{document_id}/lineage", **answers(Lineage))
def get_document_lineage(
    platform: PlatformDep, namespace: HeaderNamespace, collection_identifier: str, document_id: str
) -> dict[str, Any]:
    """Return what a document was made from, tier by tier, down from the object at the root."""
    with platform.database.transaction() as connection:
        collection = get_collection(connection, namespace.namespace_id, collection_identifier)
        document = find_document(platform, connection, collection, document_id)
        return lineage_of(connection, namespace.namespace_id, document)


def find_document(
    platform: Platform, connection: Connection, collection: Collection, document_id: str, *, vectors: bool = False
) -> StoredDocument:
    """Return a document of a collection.

    Raises: NotFound.
    """
    found = platform.documents.fetch(connection, [index_of(collection)], [document_id], vectors=vectors)
    if document_id not in found:
        raise NotFound("document", document_id)
    return found[document_id]


def _wire_groups(query: Wanted, grouped: Groups, shown: Callable[[StoredDocument], dict[str, Any]]) -> dict[str, Any]:
    groups = [
        {
            "group_key": group.value,
            "count": group.count,
            "documents": [shown(document) for document in group.documents],
        }
        for group in grouped.groups
    ]
    return {"results": [], "groups": groups, "pagination": wire_pagination(query, grouped.after, None)}


def _stats(
    platform: Platform, connection: Connection, index: Index, query: Wanted, group_by: str | None
) -> dict[str, Any] | None:
    """Return counts over all pages: on the first one, and wherever totals are asked for."""
    if query.after is not None and not query.with_total:
        return None
    if not query.with_total and not group_by and query.filter == EVERYTHING and not query.search:
        # Told by the keys alone; to look into each document would cost more than the page.
        total = platform.documents.count(connection, index)
        return {"total_documents": total, "avg_blobs_per_document": None, "total_groups": None,
                "avg_documents_per_group": None}  # fmt: skip
    stats = platform.documents.stats(connection, index, query, group_by)
    average = round(stats.total_documents / stats.total_groups, 3) if stats.total_groups else None
    return {
        "total_documents": stats.total_documents,
        "avg_blobs_per_document": stats.avg_blobs_per_document,
        "total_groups": stats.total_groups,
        "avg_documents_per_group": average,
    }
