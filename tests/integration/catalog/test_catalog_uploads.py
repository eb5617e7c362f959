"""Uploads into a bucket: what arrives is what was announced, once; what nobody confirms is cleared."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest

from factories import files
from mixpeek.catalog import objects as catalog_objects
from mixpeek.catalog import queries
from mixpeek.catalog.errors import BucketUploadExpired, ContentInvalid, UploadNotReady
from mixpeek.catalog.models import Bucket, BucketUpload
from mixpeek.catalog.retention import clear_assets_of_namespaces, clear_bucket_uploads, clear_unused_assets
from mixpeek.catalog.schemas import RequestBucketUpload
from mixpeek.catalog.uploads import Uploads
from mixpeek.db.pool import Database
from mixpeek.errors import InvalidRequest
from mixpeek.filters.query import Query
from mixpeek.objects.assets import asset_prefix, asset_url, key_from_asset_url
from mixpeek.objects.errors import ObjectStoreAway
from mixpeek.objects.store import ObjectStore

PHOTO = files.png(4, 3)
DATA = {"base64": b64encode(PHOTO).decode(), "mime_type": "image/png"}


def request(uploads: Uploads, bucket: Bucket, **fields: Any) -> BucketUpload:
    body = {"filename": "my photo.png", "content_type": "image/png", **fields}
    with uploads.database.transaction() as connection:
        return uploads.request(connection, bucket, RequestBucketUpload.model_validate(body))


def put(uploads: Uploads, upload: BucketUpload, content: bytes = PHOTO) -> None:
    uploads.intake.objects.put(upload.object_key, [content], limit_bytes=10_000)


def confirm(uploads: Uploads, bucket: Bucket, upload: BucketUpload, **sent: Any) -> BucketUpload:
    return uploads.confirm(bucket, upload.upload_id, **{"etag": None, "size_bytes": None, **sent})


def test_a_confirmed_upload_is_an_object_whose_blob_is_an_asset(uploads: Uploads, make_bucket: Any) -> None:
    bucket = make_bucket()
    upload = request(uploads, bucket, object_metadata={"isbn": "1"}, file_size_bytes=len(PHOTO))
    put(uploads, upload)

    done = confirm(uploads, bucket, upload)

    with uploads.database.transaction() as connection:
        (made,) = queries.list_objects(connection, bucket.bucket_id, Query(10)).rows
    (blob,) = made.blobs
    sha256 = hashlib.sha256(PHOTO).hexdigest()
    key = f"namespaces/{bucket.namespace_id}/assets/{sha256}/my_photo.png"
    assert (done.status, done.object_id) == ("COMPLETED", made.object_id)
    assert (blob["property"], blob["type"], blob["data"]) == ("photo", "image", asset_url(key))
    assert blob["details"] == {
        "filename": "my photo.png", "size_bytes": len(PHOTO), "mime_type": "image/png", "hash": sha256,
    }  # fmt: skip
    assert blob["properties"] == {"width": 4, "height": 3}
    assert made.fields == {"isbn": "1"}
    assert b"".join(uploads.intake.objects.read(key)) == PHOTO
    assert not uploads.intake.objects.exists(upload.object_key)
    assert confirm(uploads, bucket, upload) == done


def test_content_that_the_bucket_has_makes_no_second_object(uploads: Uploads, make_bucket: Any) -> None:
    bucket = make_bucket()
    first, second, third = (request(uploads, bucket, skip_duplicates=each) for each in (True, True, False))
    for upload in (first, second, third):
        put(uploads, upload)

    done = [confirm(uploads, bucket, upload) for upload in (first, second, third)]

    assert done[1].duplicate_of_upload_id == first.upload_id
    assert done[1].object_id == done[0].object_id != done[2].object_id
    known = request(uploads, bucket, file_hash=hashlib.sha256(PHOTO).hexdigest().upper())
    assert known.upload_id == first.upload_id


@pytest.mark.parametrize(
    ("announced", "sent", "error"),
    [
        ({"file_size_bytes": 5}, {}, UploadNotReady),
        ({}, {"size_bytes": 5}, UploadNotReady),
        ({}, {"etag": '"abc"'}, UploadNotReady),
        ({"file_hash": "ab" * 32}, {}, ContentInvalid),
        ({"object_metadata": {"isbn": "1"}, "blob_type": "image"}, {"content": b"%PDF-1.4"}, ContentInvalid),
    ],
)
def test_what_arrives_otherwise_than_announced_is_refused_and_may_be_sent_again(
    uploads: Uploads, make_bucket: Any, announced: dict[str, Any], sent: dict[str, Any], error: type[Exception]
) -> None:
    bucket = make_bucket()
    upload = request(uploads, bucket, **announced)
    put(uploads, upload, sent.pop("content", PHOTO))

    with pytest.raises(error):
        confirm(uploads, bucket, upload, **sent)

    with uploads.database.transaction() as connection:
        assert queries.list_objects(connection, bucket.bucket_id, Query(10)).rows == []
        assert len(queries.list_uploads(connection, bucket.bucket_id, "PENDING", Query(10)).rows) == 1


def test_nothing_uploaded_is_told_apart_from_too_late(uploads: Uploads, make_bucket: Any) -> None:
    bucket = make_bucket()
    upload = request(uploads, bucket)

    with pytest.raises(UploadNotReady):
        confirm(uploads, bucket, upload)
    _expire(uploads.database, upload)
    with pytest.raises(BucketUploadExpired):
        confirm(uploads, bucket, upload)


@pytest.mark.parametrize(
    "fields", [{"blob_property": "isbm"}, {"object_metadata": {"isbn": 1}}, {"blob_type": "video"}]
)
def test_an_upload_that_could_make_no_object_is_refused_before_anything_is_sent(
    uploads: Uploads, make_bucket: Any, fields: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest):
        request(uploads, make_bucket(), **fields)


def test_where_no_property_holds_files_the_one_for_text_takes_them(uploads: Uploads, make_bucket: Any) -> None:
    schema = {"properties": {"isbn": {"type": "string"}, "title": {"type": "text"}}}
    bucket = make_bucket(schema=schema)
    upload = request(uploads, bucket, filename="a.txt", content_type="text/plain")
    put(uploads, upload, b"the cat sat on the mat")

    done = confirm(uploads, bucket, upload)

    with uploads.database.transaction() as connection:
        (made,) = queries.list_objects(connection, bucket.bucket_id, Query(10)).rows
    assert (done.object_id, made.blobs[0]["property"]) == (made.object_id, "title")


def test_where_several_properties_could_take_a_file_they_are_named(uploads: Uploads, make_bucket: Any) -> None:
    bucket = make_bucket(schema={"properties": {"title": {"type": "text"}, "words": {"type": "text"}}})

    with pytest.raises(InvalidRequest) as refused:
        request(uploads, bucket)

    assert "title, words" in (refused.value.hint or "")


def test_abandoned_uploads_are_cleared_and_those_that_may_still_be_confirmed_are_not(
    uploads: Uploads, make_bucket: Any
) -> None:
    bucket = make_bucket()
    abandoned, open_one, confirmed = (request(uploads, bucket, skip_duplicates=False) for _ in range(3))
    for upload in (abandoned, open_one, confirmed):
        put(uploads, upload)
    done = confirm(uploads, bucket, confirmed)
    _expire(uploads.database, abandoned)
    store = uploads.intake.objects

    rows, stored = clear_bucket_uploads(uploads.database, store, age=timedelta(0))

    assert rows >= 1  # the database is shared, the store is this test's own
    assert stored == 1
    assert not store.exists(abandoned.object_key)
    assert store.exists(open_one.object_key)
    assert done.asset is not None
    assert store.exists(done.asset["key"])


def test_the_assets_of_a_namespace_go_when_it_is_gone(uploads: Uploads, make_bucket: Any) -> None:
    store = uploads.intake.objects
    kept, gone = make_bucket(), make_bucket()
    for bucket in (kept, gone):
        upload = request(uploads, bucket)
        put(uploads, upload)
        confirm(uploads, bucket, upload)
    with uploads.database.transaction() as connection:
        connection.execute("DELETE FROM namespaces WHERE namespace_id = %s", [gone.namespace_id])

    assert clear_assets_of_namespaces(uploads.database, store) == 1
    assert clear_assets_of_namespaces(uploads.database, store) == 0

    (left,) = [key for key, _ in store.list("namespaces/")]
    assert left.startswith(f"namespaces/{kept.namespace_id}/assets/")


def test_a_file_goes_once_nothing_refers_to_it_and_not_before(
    uploads: Uploads, make_bucket: Any, make_object: Any
) -> None:
    bucket, store = make_bucket(), uploads.intake.objects
    upload = request(uploads, bucket)
    put(uploads, upload)
    first = confirm(uploads, bucket, upload).object_id
    picture = {"property": "photo", "type": "image"}
    same = make_object(bucket, blobs=[{**picture, "data": {**DATA, "filename": "my photo.png"}}])
    other = make_object(bucket, blobs=[{**picture, "data": {**DATA, "filename": "other.png"}}])  # never written
    key, unwritten = (key_from_asset_url(each.blobs[0]["data"]) for each in (same, other))
    assert key and unwritten
    with uploads.database.transaction() as connection:
        (second,) = catalog_objects.write_objects(
            connection, uploads.documents, bucket, [catalog_objects.Wanted(same)], "insert"
        )

    assert clear_unused_assets(uploads.database, store) == 0, "an hour has not passed"
    assert clear(uploads, bucket) == 1
    assert [store.exists(each) for each in (key, unwritten)] == [True, False]
    for object_id, is_kept in ((first, True), (second, False)):
        with uploads.database.transaction() as connection:
            catalog_objects.delete_object(connection, uploads.documents, bucket, object_id)
        clear(uploads, bucket)
        assert store.exists(key) is is_kept


def test_a_file_that_could_not_be_removed_is_removed_later(uploads: Uploads, make_bucket: Any) -> None:
    class Dying(ObjectStore):
        """Its process ends while it removes a file, before or after the file is gone."""

        dies_after = False

        def delete(self, key: str) -> None:
            if self.dies_after:
                super().delete(key)
            raise SystemExit

    class Away(ObjectStore):
        def delete(self, key: str) -> None:
            raise ObjectStoreAway("not today")

    bucket, store = make_bucket(), uploads.intake.objects
    done = [confirmed_photo(uploads, bucket, width) for width in (5, 6, 7)]
    keys = [each.asset["key"] for each in done if each.asset]
    with uploads.database.transaction() as connection:
        queries.delete_bucket(connection, bucket.bucket_id)
    directory = uploads.intake.objects._store.prefix

    assert clear(uploads, bucket, Away(None, directory)) == 0
    for dies_after in (False, True):
        dying = Dying(None, directory)
        dying.dies_after = dies_after
        with pytest.raises(SystemExit):
            clear(uploads, bucket, dying)
    assert sum(map(store.exists, keys)) == 2

    assert clear(uploads, bucket) == 3
    assert sum(map(store.exists, keys)) == 0


def test_content_whose_object_is_deleted_or_holds_something_else_is_not_there_any_more(
    uploads: Uploads, make_bucket: Any
) -> None:
    bucket = make_bucket()
    first = confirmed_photo(uploads, bucket, 5)
    again = confirmed_photo(uploads, bucket, 5)
    with uploads.database.transaction() as connection:
        catalog_objects.delete_object(connection, uploads.documents, bucket, first.object_id or "")
        left = queries.list_uploads(connection, bucket.bucket_id, None, Query(10)).rows

    anew = confirmed_photo(uploads, bucket, 5)

    assert (again.object_id, again.duplicate_of_upload_id) == (first.object_id, first.upload_id)
    assert left == [], "uploads go with the object they became"
    assert anew.duplicate_of_upload_id is None
    assert anew.object_id not in (None, first.object_id)


def confirmed_photo(uploads: Uploads, bucket: Bucket, width: int) -> BucketUpload:
    upload = request(uploads, bucket)
    put(uploads, upload, files.png(width, 3))
    return confirm(uploads, bucket, upload)


def clear(uploads: Uploads, bucket: Bucket, store: ObjectStore | None = None) -> int:
    """Remove what nothing refers to in a bucket's namespace, as if an hour had passed; the database is shared."""
    with uploads.database.transaction() as connection:
        connection.execute(
            "DELETE FROM asset_checks WHERE NOT starts_with(key, %s)", [asset_prefix(bucket.namespace_id)]
        )
    return clear_unused_assets(uploads.database, store or uploads.intake.objects, age=timedelta(0))


def _expire(database: Database, upload: BucketUpload) -> None:
    with database.transaction() as connection:
        connection.execute(
            "UPDATE bucket_uploads SET expires_at = now() - interval '2 hours' WHERE upload_id = %s", [upload.upload_id]
        )
