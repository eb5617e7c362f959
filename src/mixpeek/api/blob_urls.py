"""Signed URLs of the files that documents name."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from mixpeek.api.platform import Platform
from mixpeek.api.routes.plugins import signed_url

# How the address of a file in our own store begins; the rest is its key, which begins with its namespace.
STORE = "s3://mixpeek/"
_LASTS_S = 3600


def with_signed_urls(
    document: dict[str, Any], request: Request, platform: Platform, namespace_id: str
) -> dict[str, Any]:
    """Return a document, as it is answered, whose blobs have a `presigned_url`; one of elsewhere, its own address."""
    blobs = document.get("document_blobs")
    if not blobs:
        return document

    def signed(blob: dict[str, Any]) -> dict[str, Any]:
        address = str(blob.get("url", ""))
        key = address.removeprefix(STORE)
        if key == address:
            return {**blob, "presigned_url": address or None}
        # What a document names is not proof that it may be read: only files of its own namespace are signed.
        is_own = key.startswith(f"namespaces/{namespace_id}/") and ".." not in key.split("/")
        return {**blob, "presigned_url": signed_url(request, platform, "GET", key, _LASTS_S, 0) if is_own else None}

    return {**document, "document_blobs": [signed(blob) for blob in blobs]}
