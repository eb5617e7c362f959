"""Files uploaded into a bucket: requested, PUT to a signed URL, confirmed into an asset and, if wanted, an object."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mixpeek.catalog import objects, queries
from mixpeek.catalog.contents import FILE_KINDS, TEXT_KINDS
from mixpeek.catalog.errors import BucketUploadExpired, ContentInvalid, ContentTooLarge, UploadNotReady
from mixpeek.catalog.intake import Intake, Received
from mixpeek.catalog.models import Asset, Bucket, BucketUpload, NewObject
from mixpeek.catalog.schemas import CreateObject, RequestBucketUpload
from mixpeek.catalog.values import check_kind, check_property, with_defaults
from mixpeek.db.pool import Connection, Database, new_id
from mixpeek.documents.port import DocumentStore
from mixpeek.errors import InvalidRequest, MixpeekError, NotFound
from mixpeek.objects.store import LocalCopy

# Apart from the archives of plugins under `uploads/`, which their own retention clears.
PREFIX = "bucket-uploads/"


@dataclass(frozen=True)
class Uploads:
    """The uploads of one platform's buckets."""

    database: Database
    intake: Intake
    documents: DocumentStore

    def request(self, connection: Connection, bucket: Bucket, body: RequestBucketUpload) -> BucketUpload:
        """Open an upload; of content that the bucket has from an earlier one, return that one.

        Raises: ContentTooLarge. InvalidRequest: no property of the bucket takes the file.
        """
        limit = self.intake.limit_bytes
        if body.file_size_bytes is not None and body.file_size_bytes > limit:
            raise ContentTooLarge(f"A blob may have {limit} bytes, not {body.file_size_bytes}", hint="Send less")
        if body.sha256 is not None and body.skip_duplicates:
            earlier = queries.find_upload_of_content(connection, bucket.bucket_id, body.sha256)
            if earlier is not None:
                return earlier
        name, kind = _target(bucket, body)
        upload_id = new_id("upl")
        row = {
            "upload_id": upload_id,
            "namespace_id": bucket.namespace_id,
            "bucket_id": bucket.bucket_id,
            "filename": body.filename,
            "content_type": body.content_type.partition(";")[0].strip().lower(),
            "file_size_bytes": body.file_size_bytes,
            "file_hash": body.sha256,
            "create_object_on_confirm": body.create_object_on_confirm,
            "object_metadata": body.object_metadata,
            "blob_property": name,
            "blob_type": kind,
            "skip_duplicates": body.skip_duplicates,
            "object_key": f"{PREFIX}{upload_id}",
            "expires_at": datetime.now(UTC) + timedelta(seconds=body.presigned_url_expiration),
        }
        queries.insert_upload(connection, row)
        return get_upload(connection, bucket, upload_id)

    def confirm(self, bucket: Bucket, upload_id: str, *, etag: str | None, size_bytes: int | None) -> BucketUpload:
        """Take what was uploaded, and make the object that was asked for; a repeated confirm answers the same again.

        Raises: UploadNotReady: nothing was uploaded, or something else than announced. BucketUploadExpired.
        ObjectTooLarge. InvalidRequest: the object does not fit the bucket.
        """
        with self.database.transaction() as connection:
            upload = get_upload(connection, bucket, upload_id)
        if upload.status == "COMPLETED":
            return upload
        try:
            with self.intake.objects.arrived(upload.object_key, limit_bytes=self.intake.limit_bytes) as copy:
                _check_arrival(upload, copy, etag, size_bytes)
                received = Received(copy, upload.filename, upload.content_type)
                kind = upload.blob_type if upload.blob_type in FILE_KINDS else None
                asset = self.intake.store(bucket.namespace_id, received, kind)
        except NotFound as error:
            return self._confirmed_meanwhile(bucket, upload, error)
        new = self._object(bucket, upload, asset) if upload.create_object_on_confirm else None
        with self.database.transaction() as connection:
            # One at a time, so that two uploads of the same content find each other.
            queries.lock_writers(connection, bucket.bucket_id)
            current = queries.find_upload(connection, bucket.bucket_id, upload_id, lock=True)
            if current is None:
                raise NotFound("upload", upload_id, hint="It was deleted; request another one")
            if current.status == "PENDING":
                self._complete(connection, bucket, current, asset, new)
            done = get_upload(connection, bucket, upload_id)
        self.intake.objects.delete(upload.object_key)
        return done

    def delete(self, connection: Connection, bucket: Bucket, upload_id: str) -> BucketUpload:
        """Forget an upload; an object that it made, and its content, stay."""
        upload = get_upload(connection, bucket, upload_id)
        queries.delete_upload(connection, upload_id)
        return upload

    def _confirmed_meanwhile(self, bucket: Bucket, upload: BucketUpload, missing: NotFound) -> BucketUpload:
        with self.database.transaction() as connection:
            current = get_upload(connection, bucket, upload.upload_id)
        if current.status == "COMPLETED":
            return current
        if current.expires_at < datetime.now(UTC):
            raise BucketUploadExpired(f"Upload {upload.upload_id} expired at {current.expires_at.isoformat()}")
        raise UploadNotReady(f"Nothing was uploaded for {upload.upload_id} yet") from missing

    def _object(self, bucket: Bucket, upload: BucketUpload, asset: Asset) -> NewObject:
        blob = {"property": upload.blob_property, "type": upload.blob_type, "upload_id": upload.upload_id}
        body = CreateObject.model_validate({"blobs": [blob], "metadata": upload.object_metadata})
        return objects.complete(bucket, self.intake.draft(bucket, body, arrived={upload.upload_id: asset}))

    def _complete(
        self, connection: Connection, bucket: Bucket, upload: BucketUpload, asset: Asset, new: NewObject | None
    ) -> None:
        earlier = None
        if upload.skip_duplicates:
            earlier = queries.find_upload_of_content(connection, bucket.bucket_id, asset.sha256)
        object_id = earlier.object_id if earlier else None
        if new is not None and object_id is None:
            policy = objects.policy_of(bucket, None)
            (made,) = objects.write_objects(connection, self.documents, bucket, [objects.Wanted(new)], policy)
            if isinstance(made, MixpeekError):
                raise made
            object_id = made
        queries.complete_upload(connection, upload.upload_id, asset, object_id, earlier.upload_id if earlier else None)


def get_upload(connection: Connection, bucket: Bucket, upload_id: str) -> BucketUpload:
    found = queries.find_upload(connection, bucket.bucket_id, upload_id)
    if found is None:
        raise NotFound("upload", upload_id, hint="Request an upload in this bucket first")
    return found


def _target(bucket: Bucket, body: RequestBucketUpload) -> tuple[str | None, Any]:
    """Return the property and the type of the blob that confirming makes, checked now rather than after the upload."""
    properties: dict[str, dict[str, Any]] = bucket.bucket_schema["properties"]
    name = body.blob_property
    if name is None:
        if not body.create_object_on_confirm:
            return None, body.blob_type
        takers = _of_kinds(properties, FILE_KINDS) or _of_kinds(properties, {"text"})
        if len(takers) != 1:
            named = ", ".join(sorted(takers or properties))
            raise InvalidRequest(
                "The schema does not say which property takes the file",
                hint=f"Name one of: {named}; as `blob_property`, or by `--property` of `mixpeek bucket upload`",
            )
        name = takers[0]
    check_property(name, properties)
    if body.create_object_on_confirm:
        with_defaults(body.object_metadata, {name}, properties)
    kind = body.blob_type or properties[name]["type"]
    check_kind(name, kind, properties)
    if kind not in FILE_KINDS | TEXT_KINDS:
        raise InvalidRequest(
            f"Property {name!r} is of type {kind!r}, which holds no file",
            hint="Name a property that holds files or text",
        )
    return name, kind


def _of_kinds(properties: dict[str, dict[str, Any]], kinds: Set[str]) -> list[str]:
    return [name for name, declared in properties.items() if declared["type"] in kinds]


def _check_arrival(upload: BucketUpload, copy: LocalCopy, etag: str | None, size_bytes: int | None) -> None:
    for announced in (upload.file_size_bytes, size_bytes):
        if announced is not None and announced != copy.size_bytes:
            raise UploadNotReady(
                f"{copy.size_bytes} bytes arrived, {announced} were announced", hint="PUT the file again"
            )
    if etag is not None and not copy.has_etag(etag):
        raise UploadNotReady("The file's ETag is not the one that the PUT answered", hint="PUT the file again")
    if upload.file_hash is not None and upload.file_hash != copy.sha256:
        raise ContentInvalid(
            f"What arrived has the sha256 {copy.sha256}, announced was {upload.file_hash}", hint="PUT the file again"
        )
