"""What a blob's `data` is: a value to keep as it is, bytes, an address, an upload, or an asset already stored. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from mixpeek.catalog.errors import ContentInvalid
from mixpeek.objects.assets import SCHEME, asset_prefix, key_from_asset_url

FILE_KINDS = frozenset({"image", "audio", "video", "pdf", "excel"})
TEXT_KINDS = frozenset({"text", "string"})
_FILE_KEYS = frozenset({"base64", "filename", "mime_type"})
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,(.*)", re.DOTALL | re.IGNORECASE)

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Value:
    """Text, a number, a boolean, an object or a list, kept in the object itself."""

    value: Any


@dataclass(frozen=True)
class Bytes:
    """Content sent in the request."""

    content: bytes
    filename: str | None
    declared: str | None


@dataclass(frozen=True)
class Address:
    """Content to fetch."""

    url: str


@dataclass(frozen=True)
class Uploaded:
    """Content of a confirmed upload."""

    upload_id: str


@dataclass(frozen=True)
class Kept:
    """Content that lies in the object store already, as an object that is sent back says."""

    key: str


Content = Value | Bytes | Address | Uploaded | Kept


def content_from(kind: str, data: Any, namespace_id: str) -> Content:
    """Return what `data` of a blob of type `kind` is.

    Text is never taken for an address: a text that reads `https://…` stays that text.

    Raises: ContentInvalid: a file without its bytes or address, bytes that cannot be decoded, a foreign asset.
    """
    if kind not in FILE_KINDS and kind != "text":
        return Value(data)
    found: Content | None = None
    if isinstance(data, dict) and "base64" in data:
        found = _from_object(data)
    elif isinstance(data, str):
        found = _from_text(kind, data, namespace_id)
    elif kind == "text":
        found = Value(data)  # refused as a value, in the words for values
    if found is None:
        raise ContentInvalid(
            f"A blob of type {kind!r} needs content; this is {_shown(data)}",
            hint='Send an address, a data URI, {"base64", "filename", "mime_type"}, or the `upload_id` of an upload',
        )
    return found


def _from_text(kind: str, data: str, namespace_id: str) -> Content | None:
    uri = _DATA_URI.fullmatch(data) if data[:5].lower() == "data:" else None
    if uri is not None and (kind in FILE_KINDS or uri[1] is not None):
        return _from_data_uri(uri)
    if kind == "text":
        return Value(data)
    if data.startswith(SCHEME):
        return _kept(data, namespace_id)
    return Address(data) if _ADDRESS.match(data) else None


def _from_object(data: dict[str, Any]) -> Bytes:
    unknown = sorted(set(data) - _FILE_KEYS)
    if unknown:
        raise ContentInvalid(
            f"`data` has the unknown key {unknown[0]!r}", hint="It takes `base64`, `filename` and `mime_type`"
        )
    for key in ("filename", "mime_type"):
        if not isinstance(data.get(key), str | None):
            raise ContentInvalid(f"`data.{key}` is not text", hint="Send text, or leave it out")
    if not isinstance(data["base64"], str):
        raise ContentInvalid("`data.base64` is not text", hint="Send the content's base64 encoding")
    return Bytes(_decoded(data["base64"]), data.get("filename"), data.get("mime_type"))


def _from_data_uri(uri: re.Match[str]) -> Bytes:
    body = uri[4]
    return Bytes(_decoded(body) if uri[3] else unquote_to_bytes(body), None, uri[1])


def _decoded(text: str) -> bytes:
    # Encoders break lines and URLs escape; what else is not of the alphabet is a fault, not something to skip.
    compact = re.sub(r"\s+", "", text)
    try:
        return base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ContentInvalid(
            f"The content is not base64: {error}", hint="Encode the bytes with standard base64, padding included"
        ) from error


def _kept(url: str, namespace_id: str) -> Kept:
    key = key_from_asset_url(url)
    if key is None or not key.startswith(asset_prefix(namespace_id)):
        raise ContentInvalid(
            "This is no asset of this namespace", hint="Send the content itself, or the `upload_id` of an upload"
        )
    return Kept(key)


def _shown(data: Any) -> str:
    return f"the text {data[:40]!r}" if isinstance(data, str) else f"of type {type(data).__name__}"
