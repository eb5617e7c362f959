"""The fields of a document that filters, sorts and searches can name."""

from __future__ import annotations

from mixpeek.documents.editing import LINEAGE
from mixpeek.filters.surface import Column, Surface

SURFACE = Surface(
    columns={
        "document_id": Column("document_id"),
        "collection_id": Column("collection_id"),
        "_internal": Column("internal", "json"),
        "_internal.created_at": Column("created_at", "time"),
        "_internal.updated_at": Column("updated_at", "time"),
    },
    rest=Column("payload", "json"),
    also={
        **{name: f"_internal.lineage.{name}" for name in LINEAGE},
        **{name: f"_internal.{name}" for name in ("source_blobs", "document_blobs", "modality", "mime_type")},
    },
    prefixes=frozenset({"metadata"}),
    searched=("document_id", "*"),
)
