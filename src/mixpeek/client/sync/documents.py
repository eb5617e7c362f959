# Made from mixpeek/client/aio/documents.py by `make client`; change that one.
"""`client.documents`: what extractors made of the objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mixpeek.client.addresses import segment
from mixpeek.client.exporting import ExportFormat, writer_into
from mixpeek.client.records import Document, Page
from mixpeek.client.response import Response
from mixpeek.client.sync.resource import Resource, walk, without_none
from mixpeek.client.sync.world import off_loop

_EXPORTED_PER_PAGE = 1000


class Documents(Resource):
    """Documents of a collection."""

    def create(self, collection_id: str, **fields: Any) -> Document:
        """Add one document by hand."""
        return self._ask(Document, "POST", _path(collection_id), body=fields)

    def list(
        self,
        collection_id: str,
        *,
        limit: int | None = None,
        offset: int | None = None,
        cursor: str | None = None,
        include_total: bool = False,
        **body: Any,
    ) -> Page[Document]:
        """Return one page: `results`, `pagination`, `stats`.

        Args: body: `filters`, `sort`, `search`, `select`, `group_by`, `return_vectors`, `return_url`.
        """
        return self._page(
            Document,
            _path(collection_id),
            limit=limit,
            offset=offset,
            cursor=cursor,
            body=body,
            include_total=include_total or None,
        )

    def iterate(
        self, collection_id: str, *, limit: int | None = None, page_size: int | None = None, **body: Any
    ) -> Iterator[Document]:
        """Yield documents from all pages, `limit` at most; `body` as for `list`."""
        return walk(lambda cursor: self.list(collection_id, limit=page_size, cursor=cursor, **body), limit)

    def get(
        self,
        collection_id: str,
        document_id: str,
        *,
        return_vectors: bool = False,
        return_presigned_urls: bool = False,
    ) -> Document:
        """Return one document."""
        query = {"return_vectors": return_vectors or None, "return_presigned_urls": return_presigned_urls or None}
        return self._ask(Document, "GET", _path(collection_id, document_id), query=query)

    def update(self, collection_id: str, document_id: str, **fields: Any) -> Document:
        """Change the fields given, and leave the others."""
        return self._ask(Document, "PATCH", _path(collection_id, document_id), body=fields)

    def delete(self, collection_id: str, document_id: str) -> Response:
        """Delete one document."""
        return self._transport.request("DELETE", _path(collection_id, document_id))

    def replace(self, collection_id: str, document_id: str, **fields: Any) -> Document:
        """Set the fields given, and drop the others that were not made by the extractor."""
        return self._ask(Document, "PUT", _path(collection_id, document_id), body=fields)

    def update_many(
        self, collection_id: str, update_data: Mapping[str, Any], *, filters: Mapping[str, Any] | None = None
    ) -> Response:
        """Set fields of every document that `filters` lets through, of all without; answers `updated_count`."""
        body = without_none(filters=filters, update_data=dict(update_data))
        return self._transport.request("PATCH", f"{_path(collection_id)}/bulk", body=body)

    def update_each(self, collection_id: str, updates: Mapping[str, Mapping[str, Any]]) -> Response:
        """Set fields of many documents, each its own, by document id; answers what became of each in `results`."""
        listed = [{"document_id": each, "update_data": dict(fields)} for each, fields in updates.items()]
        return self._transport.request("POST", f"{_path(collection_id)}/batch", body={"updates": listed})

    def delete_many(
        self,
        collection_id: str,
        document_ids: Sequence[str] | None = None,
        *,
        filters: Mapping[str, Any] | None = None,
    ) -> Response:
        """Delete the documents named, or those that `filters` lets through; answers `deleted_count`."""
        ids = None if document_ids is None else list(document_ids)
        body = without_none(document_ids=ids, filters=filters)
        return self._transport.request("DELETE", f"{_path(collection_id)}/batch", body=body)

    def aggregate(
        self,
        collection_id: str,
        aggregations: Sequence[Mapping[str, Any]],
        *,
        group_by: Sequence[Mapping[str, Any]] = (),
        filters: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Response:
        """Return figures over documents, one of `results` for each value that they are grouped by.

        Args:
            aggregations: `{"function": "count" | "sum" | ..., "field", "alias"}` each.
            group_by: `{"field", "alias"}` each.
            more: `having`, `sort_by`, `sort_direction`, `limit`.
        """
        body = {
            "aggregations": list(aggregations),
            **without_none(group_by=list(group_by) or None, filters=filters),
            **more,
        }
        return self._transport.request("POST", f"{_path(collection_id)}/aggregate", body=body, repeatable=True)

    def lineage(self, collection_id: str, document_id: str) -> Response:
        """Return where a document comes from: its object, and the collections on the way."""
        return self._transport.request("GET", f"{_path(collection_id, document_id)}/lineage")

    def export(
        self,
        collection_id: str,
        into: str | Path,
        *,
        format: ExportFormat = "jsonl",
        limit: int | None = None,
        **body: Any,
    ) -> int:
        """Write the documents into a file, page by page, and return how many there are.

        The file is there once it is complete, and not before. Memory does not grow with the number of documents.

        Args:
            format: `jsonl`, or `parquet`, in which a field that is not of one type in all documents is JSON text.
            body: `filters`, `sort`, `select`, `return_vectors` as for `list`.
        """
        with writer_into(Path(into), format) as writer:
            for document in self.iterate(collection_id, limit=limit, page_size=_EXPORTED_PER_PAGE, **body):
                writer.add(document)
            off_loop(writer.finish)
        return writer.count


def _path(collection_id: str, document_id: str | None = None) -> str:
    documents = f"/collections/{segment(collection_id)}/documents"
    return documents if document_id is None else f"{documents}/{segment(document_id)}"
