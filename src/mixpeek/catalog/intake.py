"""Takes what a request sends for an object: content is fetched, identified and stored before any transaction begins.

What it hands on (`Draft`) needs no network any more and, for a file, nothing but the address of an asset.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from mixpeek.catalog import queries
from mixpeek.catalog.contents import (
    FILE_KINDS,
    TEXT_KINDS,
    Address,
    Bytes,
    Content,
    Kept,
    Uploaded,
    Value,
    content_from,
)
from mixpeek.catalog.errors import ContentInvalid, ContentTooLarge, UploadNotReady
from mixpeek.catalog.fetching import Fetcher
from mixpeek.catalog.identity import canonical_json
from mixpeek.catalog.models import Asset, Bucket, Draft
from mixpeek.catalog.properties import properties_of
from mixpeek.catalog.schemas import Blob, ObjectBody
from mixpeek.catalog.sniffing import HEAD_BYTES, TEXT, fits_kind, is_text, mime_type_of
from mixpeek.catalog.values import check_kind, check_property, faults_of, merged_fields, with_defaults
from mixpeek.db.pool import Database
from mixpeek.errors import InvalidRequest, NotFound
from mixpeek.objects.assets import asset_key, asset_url
from mixpeek.objects.store import LocalCopy, ObjectStore, local_copy

# Text is kept in the object itself, where extractors read it; more of it belongs into several objects.
MAX_TEXT_BYTES = 16 * 1024**2
_JSON = "application/json"


@dataclass(frozen=True)
class Received:
    """Content on this machine for a while, and what is said about it."""

    copy: LocalCopy
    filename: str | None
    declared: str | None
    source: dict[str, Any] | None = None


@dataclass(frozen=True)
class _Place:
    """Where content goes, and the uploads that are being confirmed into it."""

    bucket: Bucket
    arrived: Mapping[str, Asset]


@dataclass(frozen=True)
class Intake:
    """Content of objects on its way into one platform's object store."""

    database: Database
    objects: ObjectStore
    fetcher: Fetcher
    limit_bytes: int

    def draft(
        self,
        bucket: Bucket,
        body: ObjectBody,
        *,
        is_change: bool = False,
        arrived: Mapping[str, Asset] | None = None,
    ) -> Draft:
        """Return what `body` says, its content stored.

        Args:
            is_change: the body need not make an object by itself.
            arrived: uploads that are being confirmed, beside those that are.
        Raises: InvalidRequest, ContentInvalid, ContentTooLarge, SourceRefused, SourceUnavailable: nothing refers to
        what was stored until then.
        """
        properties: dict[str, dict[str, Any]] = bucket.bucket_schema["properties"]
        root = body.model_extra or {}
        for name in root:
            check_property(name, properties)
        for blob in body.blobs:
            check_property(blob.property, properties)
            check_kind(blob.property, blob.type, properties)
        fields = merged_fields(root, body.metadata)
        given = {blob.property for blob in body.blobs}
        if not is_change:
            with_defaults(fields, given, properties)  # before anything is fetched or stored
        wanted = [*body.blobs, *_blobs_from_fields(fields, given, properties)]
        place = _Place(bucket, arrived or {})
        taken = [self._take(place, blob, properties[blob.property]) for blob in wanted]
        return Draft(
            key_prefix=body.key_prefix,
            # A file's content is a blob's; only that it is to be removed is told by a field.
            fields={n: v for n, v in fields.items() if v is None or n not in properties or not _is_file(properties[n])},
            blobs=[blob for blob, _ in taken],
            sources=[source for _, source in taken if source is not None],
            given=frozenset(body.model_fields_set),
        )

    def store(self, namespace_id: str, received: Received, kind: str | None = None) -> Asset:
        """Put content into the object store, once however often it is sent, and return what it is.

        Raises: ContentInvalid: a blob of type `kind` does not hold such content; nothing is stored.
        """
        copy = received.copy
        mime_type = _mime_type_of(received)
        _check_fits(kind, mime_type)
        properties = properties_of(copy.file, mime_type)
        # Libraries that plugins use go by the extension.
        name = received.filename or f"file{mimetypes.guess_extension(mime_type) or ''}"
        key = asset_key(namespace_id, copy.sha256, name)
        # Before it is there: nothing may ever refer to it, and what removes unused assets must not take it for one.
        with self.database.transaction() as connection:
            queries.check_asset_later(connection, key)
        self.objects.put(key, copy.chunks(), limit_bytes=self.limit_bytes)
        return Asset(key, copy.sha256, copy.size_bytes, mime_type, name, properties)

    def _take(
        self, place: _Place, blob: Blob, declared: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Return a blob as it is stored, and where its content came from if it was fetched."""
        try:
            content = (
                Uploaded(blob.upload_id)
                if blob.upload_id is not None
                else content_from(blob.type, blob.data, place.bucket.namespace_id)
            )
            if isinstance(content, Value):
                return _value_blob(blob, content.value, declared), None
            if blob.type in TEXT_KINDS:
                with self._received(place, content) as received:
                    return _text_blob(blob, received), received.source
            asset, source = self._asset(place, content, blob.type)
        except ContentInvalid as error:
            raise ContentInvalid(f"{blob.property!r}: {error.message}", hint=error.hint) from error
        return _file_blob(blob, asset), source

    def _asset(self, place: _Place, content: Content, kind: str) -> tuple[Asset, dict[str, Any] | None]:
        if isinstance(content, Uploaded):
            asset = self._uploaded(place, content.upload_id)
            _check_fits(kind, asset.mime_type)
            return asset, None
        with self._received(place, content) as received:
            return self.store(place.bucket.namespace_id, received, kind), received.source

    @contextmanager
    def _received(self, place: _Place, content: Content) -> Iterator[Received]:
        match content:
            case Bytes():
                self._check_size(len(content.content))
                with local_copy([content.content]) as copy:
                    yield Received(copy, content.filename, content.declared)
            case Address():
                with self.fetcher.fetch(content.url) as fetched:
                    name = unquote(urlsplit(fetched.url).path.rsplit("/", 1)[-1]) or None
                    source = {"source_url": content.url.partition("?")[0], "content_type": fetched.content_type}
                    yield Received(fetched.copy, name, fetched.content_type, source)
            case Kept():
                with self._stored(content.key) as received:
                    yield received
            case Uploaded():
                asset = self._uploaded(place, content.upload_id)
                with self._stored(asset.key, asset.filename, asset.mime_type) as received:
                    yield received

    @contextmanager
    def _stored(self, key: str, filename: str | None = None, declared: str | None = None) -> Iterator[Received]:
        try:
            with local_copy(self.objects.read(key)) as copy:
                yield Received(copy, filename or key.rsplit("/", 1)[-1], declared)
        except NotFound as error:
            raise ContentInvalid("There is no such asset any more", hint="Send the content itself") from error

    def _uploaded(self, place: _Place, upload_id: str) -> Asset:
        if upload_id in place.arrived:
            return place.arrived[upload_id]
        with self.database.transaction() as connection:
            upload = queries.find_upload(connection, place.bucket.bucket_id, upload_id)
        if upload is None:
            raise NotFound("upload", upload_id, hint="Request an upload in this bucket first")
        if upload.asset is None:
            raise UploadNotReady(f"Upload {upload_id} is not confirmed")
        return Asset(**upload.asset)

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self.limit_bytes:
            raise ContentTooLarge(f"A blob may have {self.limit_bytes} bytes, not {size_bytes}", hint="Send less")


def _is_file(declared: dict[str, Any]) -> bool:
    return declared["type"] in FILE_KINDS


def _blobs_from_fields(fields: dict[str, Any], given: set[str], properties: dict[str, Any]) -> list[Blob]:
    """Return blobs for what was sent as a field although the schema says it is content."""
    return [
        Blob(property=name, type=declared["type"], data=fields[name])
        for name, declared in properties.items()
        if name in fields and name not in given and declared["type"] in FILE_KINDS | {"text"}
        if fields[name] is not None
    ]


def _mime_type_of(received: Received) -> str:
    received.copy.file.seek(0)
    head = received.copy.file.read(HEAD_BYTES)
    return mime_type_of(head, declared=received.declared, filename=received.filename)


def _check_fits(kind: str | None, mime_type: str) -> None:
    if kind is not None and not fits_kind(kind, mime_type):
        raise ContentInvalid(
            f"a blob of type {kind!r} does not hold {mime_type}, which this is",
            hint="Send content of that type, or put it into a property of another one",
        )


def _value_blob(blob: Blob, value: Any, declared: dict[str, Any]) -> dict[str, Any]:
    faults = list(faults_of(value, {**declared, "type": blob.type}, blob.property))
    if faults:
        raise InvalidRequest("; ".join(faults), hint="Send a value of that type")
    raw = value.encode(errors="replace") if isinstance(value, str) else canonical_json(value).encode()
    mime_type = TEXT if blob.type in TEXT_KINDS else _JSON
    details = {"filename": None, "size_bytes": len(raw), "mime_type": mime_type}
    return _blob(blob, value, {**details, "hash": hashlib.sha256(raw).hexdigest()}, {})


def _text_blob(blob: Blob, received: Received) -> dict[str, Any]:
    copy, mime_type = received.copy, _mime_type_of(received)
    if copy.size_bytes > MAX_TEXT_BYTES:
        raise ContentTooLarge(
            f"Text may have {MAX_TEXT_BYTES} bytes, not {copy.size_bytes}", hint="Send it in several objects"
        )
    copy.file.seek(0)
    try:
        text = copy.file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContentInvalid(
            f"This is {mime_type}, not text in UTF-8: {error.reason} at byte {error.start}",
            hint="Send text, or put the file into a property of a type that holds files",
        ) from error
    details = {
        "filename": received.filename,
        "size_bytes": copy.size_bytes,
        "mime_type": mime_type if is_text(mime_type) else TEXT,
        "hash": copy.sha256,
    }
    return _blob(blob, text, details, {})


def _file_blob(blob: Blob, asset: Asset) -> dict[str, Any]:
    details = {
        "filename": asset.filename,
        "size_bytes": asset.size_bytes,
        "mime_type": asset.mime_type,
        "hash": asset.sha256,
    }
    return _blob(blob, asset_url(asset.key), details, asset.properties)


def _blob(blob: Blob, data: Any, details: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """Return a blob as it is stored, but for its id, which its object gives it."""
    return {
        "property": blob.property,
        "key_prefix": blob.key_prefix,
        "type": blob.type,
        "data": data,
        "properties": {**properties, **blob.metadata},
        "details": details,
    }
