"""The columns of the frame a processor receives.

Beside these a frame holds the blob property's name and every `input_mappings` key of the collection.
"""

from __future__ import annotations

from typing import Final

DATA: Final = "data"
"""The text content, or a URL string for a binary blob; never bytes."""

DOCUMENT_ID: Final = "document_id"
MIME_TYPE: Final = "mime_type"

PART_OF: Final = "_part_of"
"""In a host's reply for an exploding plugin: the number of the given row that each row is a part of, from 0."""

SYSTEM_COLUMNS: Final[tuple[str, ...]] = (
    DOCUMENT_ID,
    "object_id",
    "blob_id",
    "blob_property",
    "blob_type",
    "collection_id",
    "feature_extractor_id",
    MIME_TYPE,
    "size_bytes",
)
"""Columns the platform fills; `size_bytes` is 0 for inline text. What a processor writes into them is not kept."""
