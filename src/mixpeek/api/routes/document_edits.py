"""Documents changed by users: made, edited and deleted, one by one, chosen ones, or all that pass a filter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fastapi import APIRouter

from mixpeek.api.access import Deleter, HeaderNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.platform import Platform
from mixpeek.api.routes.documents import find_document, index_of
from mixpeek.api.schemas.documents import Document, DocumentDeleted, DocumentsDeleted, DocumentsUpdated, DocumentUpdates
from mixpeek.audit.queries import record_change
from mixpeek.collections.models import Collection
from mixpeek.collections.service import get_collection
from mixpeek.collections.upgrade_queries import list_written
from mixpeek.db.pool import Connection, new_id
from mixpeek.documents.bulk import delete_matching, edit_matching
from mixpeek.documents.editing import LINEAGE, check_fields
from mixpeek.documents.port import Index, NewDocument
from mixpeek.documents.schemas import BatchDelete, BatchUpdate, BulkUpdate, CreateDocument, SetFields
from mixpeek.errors import InvalidRequest, NotFound
from mixpeek.filters.parse import parse_filter
from mixpeek.tenancy.models import Namespace

# Its fixed paths come before `/{document_id}`.
router = APIRouter(prefix="/v1/collections/{collection_identifier}/documents", tags=["documents"])


@dataclass
class _Place:
    """The collection whose documents a request changes, within the request's transaction."""

    platform: Platform
    connection: Connection
    collection: Collection

    @classmethod
    def of(cls, platform: Platform, connection: Connection, namespace: Namespace, identifier: str) -> _Place:
        return cls(platform, connection, get_collection(connection, namespace.namespace_id, identifier))

    @property
    def index(self) -> Index:
        return index_of(self.collection)

    @cached_property
    def others(self) -> list[Index]:
        """The generations beside the live one that are written to as well; none begins before the transaction ends."""
        identifier = self.collection.collection_id
        written = list_written(self.connection, identifier)
        return [Index(identifier, each) for each in written if each != self.collection.live_generation]

    def edit(self, document_ids: list[str], fields: dict[str, Any], *, replace: bool = False) -> set[str]:
        """Set fields of documents in every generation; return the ids of those that the live one has."""
        store = self.platform.documents
        for index in self.others:
            store.edit(self.connection, index, document_ids, fields, replace=replace)
        return store.edit(self.connection, self.index, document_ids, fields, replace=replace)

    def delete(self, document_ids: list[str]) -> set[str]:
        """Delete documents from every generation; return the ids of those that the live one had."""
        store = self.platform.documents
        for index in self.others:
            store.delete(self.connection, index, document_ids)
        return store.delete(self.connection, self.index, document_ids)

    def check(self, fields: dict[str, Any]) -> None:
        check_fields(fields, {feature["name"] for feature in self.collection.features})

    def record(self, action: str, document_id: str | None, **what: Any) -> None:
        """Write into the audit log what was changed; of many documents at once how many they were."""
        kind, identifier = ("document", document_id) if document_id else ("collection", self.collection.collection_id)
        record_change(self.connection, kind, identifier, self.collection.namespace_id, action, what)


@router.post("", **answers(Document))
def create_document(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, collection_identifier: str, body: CreateDocument
) -> dict[str, Any]:
    """Make a document that no extractor made. It has no vectors, so it is listed and not found by similarity."""
    fields = dict(body.model_extra or {})
    with platform.database.transaction() as connection:
        place = _Place.of(platform, connection, namespace, collection_identifier)
        collection = place.collection
        if body.collection_id not in (None, collection.collection_id, collection.collection_name):
            raise InvalidRequest(
                f"The body names collection {body.collection_id!r}, the path another one", hint="Leave it out"
            )
        place.check(fields)
        document_id = new_id("doc", 24)
        lineage = {name: getattr(body, name) for name in LINEAGE}
        internal = {
            "namespace_id": namespace.namespace_id,
            "document_id": document_id,
            "collection_id": collection.collection_id,
            "lineage": {**lineage, "path": body.lineage_path, "chain": body.lineage_chain or []},
            "source_blobs": [],
            "metadata": {"ingestion_status": "COMPLETED"},
        }
        check_fields({"lineage": internal["lineage"]}, ())
        # Of no batch and no object: what a batch made is counted by its objects.
        for index in (place.index, *place.others):
            platform.documents.upsert(connection, index, [NewDocument(document_id, "", "", fields, internal)])
        place.record("create", document_id, fields=sorted(fields))
        return find_document(platform, connection, collection, document_id).wire()


@router.patch("/bulk", **answers(DocumentsUpdated, checked=True))
def update_documents_by_filter(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, collection_identifier: str, body: BulkUpdate
) -> dict[str, Any]:
    """Set the same fields on every document that passes the filter; without one, on all."""
    wanted = parse_filter(body.filters, case_sensitive=False)
    with platform.database.transaction() as connection:
        place = _Place.of(platform, connection, namespace, collection_identifier)
        place.check(body.update_data)
        count = edit_matching(platform.documents, connection, place.index, wanted, body.update_data, place.others)
        place.record("update_documents", None, count=count, fields=sorted(body.update_data), filters=body.filters)
    return {"updated_count": count, "message": f"{count} documents updated"}


@router.post("/batch", **answers(DocumentUpdates, checked=True))
def update_documents(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, collection_identifier: str, body: BatchUpdate
) -> dict[str, Any]:
    """Set fields of chosen documents, each its own; or the same fields on all that pass a filter."""
    results = []
    with platform.database.transaction() as connection:
        place = _Place.of(platform, connection, namespace, collection_identifier)
        for update in body.updates or ():
            place.check(update.update_data)
        for update in body.updates or ():
            found = place.edit([update.document_id], update.update_data)
            results.append(_result(update.document_id, found))
        count = sum(result["success"] for result in results)
        if body.update_data is not None:
            place.check(body.update_data)
            wanted = parse_filter(body.filters, case_sensitive=False)
            count = edit_matching(platform.documents, connection, place.index, wanted, body.update_data, place.others)
        place.record("update_documents", None, count=count, filters=body.filters)
    failed = len(results) - count if results else 0
    return {"updated_count": count, "failed_count": failed, "results": results, "message": f"{count} documents updated"}


@router.delete("/batch", **answers(DocumentsDeleted, checked=True))
def delete_documents(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Deleter, collection_identifier: str, body: BatchDelete
) -> dict[str, Any]:
    """Delete chosen documents, or all that pass a filter, with what other collections made of them.

    A later batch over the same objects makes them again.
    """
    wanted = parse_filter(body.filters, case_sensitive=False)
    with platform.database.transaction() as connection:
        place = _Place.of(platform, connection, namespace, collection_identifier)
        if body.document_ids is None:
            results = []
            count = delete_matching(platform.documents, connection, place.index, wanted, place.others)
        else:
            gone = place.delete(body.document_ids)
            results = [_result(document_id, gone) for document_id in dict.fromkeys(body.document_ids)]
            count = len(gone)
        place.record("delete_documents", None, count=count, filters=body.filters)
    failed = len(results) - count if results else 0
    return {"deleted_count": count, "failed_count": failed, "results": results, "message": f"{count} documents deleted"}


@router.put("/{document_id}", **answers(Document))
def replace_document(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    collection_identifier: str,
    document_id: str,
    body: SetFields,
) -> dict[str, Any]:
    """Replace all fields of a document; its ids, lineage and vectors stay."""
    return _set(platform, namespace, collection_identifier, document_id, body, replace=True)


@router.patch("/{document_id}", **answers(Document))
def update_document(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    collection_identifier: str,
    document_id: str,
    body: SetFields,
) -> dict[str, Any]:
    """Set fields of a document. They stay when it is made again, but for those that its extractor makes."""
    return _set(platform, namespace, collection_identifier, document_id, body, replace=False)


@router.delete("/{document_id}", **answers(DocumentDeleted, checked=True))
def delete_document(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Deleter, collection_identifier: str, document_id: str
) -> dict[str, Any]:
    """Delete a document with its vectors, and with what other collections made of it.

    A later batch over the same object makes it again.
    """
    with platform.database.transaction() as connection:
        place = _Place.of(platform, connection, namespace, collection_identifier)
        if not place.delete([document_id]):
            raise NotFound("document", document_id)
        place.record("delete", document_id)
    return {"success": True, "document_id": document_id, "message": "Deleted"}


def _set(
    platform: Platform, namespace: Namespace, identifier: str, document_id: str, body: SetFields, *, replace: bool
) -> dict[str, Any]:
    fields = dict(body.model_extra or {})
    with platform.database.transaction() as connection:
        place = _Place.of(platform, connection, namespace, identifier)
        place.check(fields)
        if not place.edit([document_id], fields, replace=replace):
            raise NotFound("document", document_id)
        place.record("replace" if replace else "update", document_id, fields=sorted(fields))
        return find_document(platform, connection, place.collection, document_id).wire()


def _result(document_id: str, found: set[str]) -> dict[str, Any]:
    is_done = document_id in found
    return {"document_id": document_id, "success": is_done, "error": None if is_done else "No such document here"}
