"""Assets: the stored bytes of blobs, their keys, and the addresses by which blobs and documents name them. Pure.

An asset's key begins with its namespace and holds the sha256 of its content, so what lies under a key never changes,
and a host may read exactly the keys under its own namespace's prefix (`asset_prefix`).
"""

from __future__ import annotations

import re
import unicodedata

SCHEME = "s3://mixpeek/"
_KEY = re.compile(r"namespaces/[A-Za-z0-9_-]+/assets/[0-9a-f]{64}/[A-Za-z0-9_-][A-Za-z0-9._-]*")
_FILENAME_LIMIT = 100
_SUFFIX_LIMIT = 16


def asset_prefix(namespace_id: str) -> str:
    """Return what the key of every asset of a namespace begins with, and of no other namespace."""
    return f"namespaces/{namespace_id}/assets/"


def asset_key(namespace_id: str, sha256: str, filename: str | None) -> str:
    """Return the key of content with this sha256 (hexadecimal); the name is a sanitised `filename`."""
    return f"{asset_prefix(namespace_id)}{sha256}/{safe_filename(filename)}"


def asset_url(key: str) -> str:
    """Return the address of the asset under `key`: what a blob's `data` holds."""
    return f"{SCHEME}{key}"


def key_from_asset_url(url: str) -> str | None:
    """Return the key that an asset's address names; None for whatever is not exactly such an address."""
    key = url.removeprefix(SCHEME)
    return key if key != url and _KEY.fullmatch(key) else None


def safe_filename(filename: str | None) -> str:
    """Return the last part of `filename` as a name any file system, URL and shell takes as it is; `file` when none."""
    last = (filename or "").replace("\\", "/").rsplit("/", 1)[-1]
    plain = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", plain).lstrip("._")
    if len(name) > _FILENAME_LIMIT:
        stem, dot, suffix = name.rpartition(".")
        kept = dot + suffix if dot and len(suffix) <= _SUFFIX_LIMIT else ""
        name = (stem if kept else name)[: _FILENAME_LIMIT - len(kept)] + kept
    return name or "file"
