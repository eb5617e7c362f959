"""`client.buckets`: schema-checked containers of objects, and the files that are put into them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Literal

from mixpeek.client.addresses import segment
from mixpeek.client.aio.resource import Resource, walk, without_none
from mixpeek.client.aio.transport import BytesSent
from mixpeek.client.aio.world import as_they_finish, off_loop
from mixpeek.client.errors import ApiError
from mixpeek.client.files import FileSent, LocalFile, sha256_of
from mixpeek.client.records import Bucket, Page, Upload
from mixpeek.client.response import Response

# Confirming reads what was sent.
_LONG_ANSWER_S = 300.0


class Buckets(Resource):
    """Buckets, by id or name."""

    async def create(
        self,
        bucket_name: str,
        bucket_schema: Mapping[str, Any],
        *,
        description: str | None = None,
        unique_key: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Bucket:
        """Create a bucket.

        Args:
            bucket_schema: `{"properties": {field: {"type": ...}}}`.
            unique_key: `{"fields": [...], "default_policy": "insert" | "update" | "upsert"}`; cannot be changed later.
        """
        body = {
            "bucket_name": bucket_name,
            "bucket_schema": dict(bucket_schema),
            **without_none(description=description, unique_key=unique_key, metadata=metadata),
            **fields,
        }
        return await self._ask(Bucket, "POST", "/buckets", body=body)

    async def get(self, bucket_id: str) -> Bucket:
        """Return one bucket."""
        return await self._ask(Bucket, "GET", f"/buckets/{segment(bucket_id)}")

    async def list(
        self, *, limit: int | None = None, offset: int | None = None, cursor: str | None = None, **filters: Any
    ) -> Page[Bucket]:
        """Return one page: `results` and `pagination`."""
        return await self._page(Bucket, "/buckets", limit=limit, offset=offset, cursor=cursor, body=filters)

    def iterate(
        self, *, limit: int | None = None, page_size: int | None = None, **filters: Any
    ) -> AsyncIterator[Bucket]:
        """Yield buckets from all pages, `limit` at most."""
        return walk(lambda cursor: self.list(limit=page_size, cursor=cursor, **filters), limit)

    async def update(self, bucket_id: str, **fields: Any) -> Bucket:
        """Change what may change of a bucket, such as `bucket_name`, `description` and `metadata`."""
        return await self._ask(Bucket, "PATCH", f"/buckets/{segment(bucket_id)}", body=fields)

    async def delete(self, bucket_id: str, *, force: bool = False) -> Response:
        """Delete a bucket with its objects; raise ApiError 409 while collections read it, unless `force`."""
        query = {"force": force or None}
        return await self._transport.request("DELETE", f"/buckets/{segment(bucket_id)}", query=query)

    async def upload_file(
        self,
        bucket_id: str,
        file: LocalFile,
        *,
        blob_property: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        skip_duplicates: bool = True,
        on_progress: BytesSent | None = None,
    ) -> FileSent:
        """Put one file into a bucket as an object: ask for a place, send it in blocks, confirm it.

        Args:
            blob_property: the property of the bucket's schema that the file is a blob of; default the server's choice.
            metadata: fields of the object.
            skip_duplicates: send nothing where the bucket has a file with the same sha256.
            on_progress: called with the number of bytes sent so far.
        """
        size, digest = await off_loop(lambda: (file.path.stat().st_size, sha256_of(file.path)))
        base = f"/buckets/{segment(bucket_id)}/uploads"
        place = await self._ask(
            Upload,
            "POST",
            base,
            repeatable=True,
            body=without_none(
                filename=file.name,
                content_type=file.content_type,
                file_size_bytes=size,
                file_hash=digest,
                blob_property=blob_property,
                object_metadata=None if metadata is None else dict(metadata),
                create_object_on_confirm=True,
                skip_duplicates=skip_duplicates,
            ),
        )
        if place.presigned_url is None:
            return FileSent(file, "present", place.get("object_id"), size)
        etag = await self._transport.put(place.presigned_url, file.path, file.content_type, progress=on_progress)
        confirmed = await self._transport.request(
            "POST",
            f"{base}/{segment(place.upload_id)}/confirm",
            body=without_none(etag=etag, file_size_bytes=size),
            timeout_s=_LONG_ANSWER_S,
            repeatable=True,
        )
        outcome: Literal["sent", "present"] = "present" if confirmed.get("is_duplicate") else "sent"
        return FileSent(file, outcome, confirmed.get("object_id"), size)

    async def upload_files(
        self,
        bucket_id: str,
        files: Iterable[LocalFile],
        *,
        blob_property: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        skip_duplicates: bool = True,
        at_once: int = 4,
    ) -> AsyncIterator[FileSent]:
        """Put files into a bucket, `at_once` side by side, and yield how each ended as it ends.

        A file that the server refuses, or that cannot be read, is `failed` with its error, and the others go on. Asked
        again with the same files, only those are sent that the bucket does not have.

        Raises: ServerUnreachable.
        """

        async def send(file: LocalFile) -> FileSent:
            try:
                return await self.upload_file(
                    bucket_id, file, blob_property=blob_property, metadata=metadata, skip_duplicates=skip_duplicates
                )
            except (ApiError, OSError) as error:
                return FileSent(file, "failed", None, 0, error)

        async for sent in as_they_finish(send, files, at_once):
            yield sent
