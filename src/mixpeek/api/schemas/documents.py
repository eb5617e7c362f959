"""Answers about documents; each carries what its extractor made and what was kept of its object."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from mixpeek.api.schemas.base import Answer, OpenAnswer, PageInfo


class Document(OpenAnswer):
    """A document; what its extractor made is at the root beside these, vectors only where asked for."""

    document_id: str
    collection_id: str
    document_blobs: list[dict[str, Any]]
    internal: dict[str, Any] = Field(alias="_internal", description="Where the document comes from.")


class DocumentStats(Answer):
    """Counts over a whole collection."""

    total_documents: int


class DocumentPage(Answer):
    """A page of documents, by id."""

    results: list[Document]
    pagination: PageInfo
    groups: None
    group_by_field: None
    stats: DocumentStats
