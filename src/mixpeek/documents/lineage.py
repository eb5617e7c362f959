"""Where a document comes from: from the object at the root, through every collection, down to it."""

from __future__ import annotations

from typing import Any

from mixpeek.db.pool import Connection
from mixpeek.documents.listing import find_parent
from mixpeek.documents.port import Document

# More tiers than any chain of collections has; a circle would be a fault of ours.
MOST_TIERS = 32


def lineage_of(connection: Connection, namespace_id: str, document: Document) -> dict[str, Any]:
    """Return a document's lineage with the documents it was made from, the first tier first.

    A document it was made from that is gone by now is listed without more than its ids.
    """
    lineage = document.internal.get("lineage", {})
    steps = [_step(document.collection_id, document.document_id, lineage)]
    above = lineage
    while above.get("source_document_id") and above.get("source_collection_id") and len(steps) < MOST_TIERS:
        collection_id, document_id = above["source_collection_id"], above["source_document_id"]
        internal = find_parent(connection, namespace_id, collection_id, document_id)
        above = (internal or {}).get("lineage", {})
        steps.insert(0, _step(collection_id, document_id, above))
    return {
        "document_id": document.document_id,
        "collection_id": document.collection_id,
        **{name: lineage.get(name) for name in _NAMES},
        "chain": lineage.get("chain") or steps,
        "documents": steps,
    }


def _step(collection_id: str, document_id: str, lineage: dict[str, Any]) -> dict[str, Any]:
    last = (lineage.get("chain") or [{}])[-1]
    return {
        "collection_id": collection_id,
        "document_id": document_id,
        "feature_extractor_id": last.get("feature_extractor_id"),
        "timestamp": last.get("timestamp"),
    }


_NAMES = (
    "root_object_id",
    "root_bucket_id",
    "source_type",
    "source_object_id",
    "source_document_id",
    "source_collection_id",
    "path",
)
