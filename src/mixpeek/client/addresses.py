"""Addresses of a server and of what it keeps."""

from __future__ import annotations

from urllib.parse import quote

DEFAULT_BASE_URL = "http://127.0.0.1:8000"


def root_url(base_url: str) -> str:
    """Return the address without a trailing slash or `/v1`: both forms of the setting mean the same server."""
    url = base_url.strip().rstrip("/").removesuffix("/v1").rstrip("/")
    return url if "://" in url else f"http://{url}"


def segment(identifier: str) -> str:
    """Return an id or a name, made safe as one segment of a path."""
    if not identifier or identifier in {".", ".."}:
        raise ValueError(f"{identifier!r} is not an id or a name")
    return quote(identifier, safe="")


def origin(url: str) -> str:
    """Return scheme, host and port of an address."""
    parts = url.split("/")
    return "/".join(parts[:3]) if len(parts) >= 3 else url
