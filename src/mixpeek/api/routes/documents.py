"""Documents of a collection."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from mixpeek.api.access import HeaderNamespace, PlatformDep
from mixpeek.api.answers import answers
from mixpeek.api.paging import ListBody, PageDep, wire_page
from mixpeek.api.schemas.documents import Document, DocumentPage
from mixpeek.collections.service import get_collection
from mixpeek.documents.port import Index
from mixpeek.errors import NotFound

router = APIRouter(prefix="/v1/collections/{collection_identifier}/documents", tags=["documents"])


@router.post("/list", **answers(DocumentPage))
def list_documents(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    collection_identifier: str,
    page: PageDep,
    body: ListBody | None = None,
    include_total: Annotated[bool, Query()] = False,
) -> dict[str, Any]:
    """List documents in id order; vectors only with `return_vectors`."""
    page = page.within(body)
    vectors = body.return_vectors if body else False
    with platform.database.transaction() as connection:
        collection = get_collection(connection, namespace.namespace_id, collection_identifier)
        index = Index(collection.collection_id, collection.live_generation)
        found = platform.documents.list_page(
            connection, index, after=page.after, limit=page.limit, offset=page.offset, vectors=vectors
        )
        total = platform.documents.count(connection, index)
    answer = wire_page(page, [document.wire() for document in found], found[-1].document_id if found else None)
    if include_total:
        answer["pagination"]["total"] = total
    return {**answer, "groups": None, "group_by_field": None, "stats": {"total_documents": total}}


@router.get("/{document_id}", **answers(Document))
def get_document(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    collection_identifier: str,
    document_id: str,
    return_vectors: Annotated[bool, Query()] = False,
) -> dict[str, Any]:
    """Return a document; its vectors only with `return_vectors`."""
    with platform.database.transaction() as connection:
        collection = get_collection(connection, namespace.namespace_id, collection_identifier)
        index = Index(collection.collection_id, collection.live_generation)
        found = platform.documents.fetch(connection, [index], [document_id], vectors=return_vectors)
    if document_id not in found:
        raise NotFound("document", document_id)
    return found[document_id].wire()
