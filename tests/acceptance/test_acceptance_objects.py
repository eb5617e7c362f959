"""Objects over HTTP: content in every documented form, what is refused, changes, deletion, uploads, auto_process."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import httpx
import pytest

from factories import files
from factories.answers import refusal
from factories.platform import all_documents, collection_of, publish, run_batch, unique
from factories.plugins import MakePlugin
from mixpeek import Mixpeek

SCHEMA = {
    "properties": {
        "title": {"type": "string"},
        "content": {"type": "text"},
        "photo": {"type": "image"},
        "paper": {"type": "pdf"},
        "tags": {"type": "array"},
    }
}
PHOTO = files.png(4, 3)
ENCODED = base64.b64encode(PHOTO).decode()


@pytest.fixture
def bucket(client: Mixpeek) -> str:
    bucket_id: str = client.buckets.create(unique("library"), SCHEMA).bucket_id
    return bucket_id


def photo(data: Any) -> dict[str, Any]:
    return {"blobs": [{"property": "photo", "type": "IMAGE", "data": data}]}


@pytest.mark.parametrize(
    "data",
    [
        f"data:image/png;base64,{ENCODED}",
        {"base64": ENCODED, "filename": "fox.png", "mime_type": "image/png"},
        {"base64": ENCODED, "mime_type": "application/pdf"},
    ],
)
def test_a_file_sent_in_a_request_becomes_an_asset_described_by_its_content(
    http: httpx.Client, client: Mixpeek, bucket: str, data: Any
) -> None:
    made = http.post(f"/buckets/{bucket}/objects", json={**photo(data), "title": "fox"}).raise_for_status().json()

    (blob,) = made["blobs"]
    sha256 = hashlib.sha256(PHOTO).hexdigest()
    assert blob["type"] == "image"
    assert blob["data"].startswith(f"s3://mixpeek/namespaces/{client.namespace}/assets/{sha256}/")
    assert blob["details"]["mime_type"] == "image/png"
    assert (blob["details"]["size_bytes"], blob["details"]["hash"]) == (len(PHOTO), sha256)
    assert blob["details"]["filename"] in ("fox.png", "file.png")
    assert blob["properties"] == {"width": 4, "height": 3}
    assert made["title"] == made["metadata"]["title"] == "fox"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("http://127.0.0.1:8000/v1/health", "127.0.0.1:8000"),
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254"),
        ("https://example.com/fox.png", "MIXPEEK_SOURCE_HOSTS"),
        ("s3://somebodys-bucket/fox.png", "s3"),
        ("file:///etc/passwd", "file"),
        ("s3://mixpeek/archives/0123", "no asset of this namespace"),
        (f"s3://mixpeek/namespaces/ns_other/assets/{'ab' * 32}/a.png", "no asset of this namespace"),
        ("fox.png", "needs content"),
        ({"base64": "%%"}, "base64"),
        ({"base64": base64.b64encode(files.pdf()).decode()}, "application/pdf"),
        ({"base64": base64.b64encode(files.png(300_000_000, 2)).decode()}, "pixels"),
        (None, "`data` or `upload_id`"),
    ],
)
def test_content_that_cannot_be_taken_is_refused_and_nothing_is_stored(
    http: httpx.Client, client: Mixpeek, bucket: str, data: Any, words: str
) -> None:
    answer = http.post(f"/buckets/{bucket}/objects", json=photo(data))

    refusal(answer, 422, "ValidationError")
    assert words in answer.text
    assert client.buckets.get(bucket).object_count == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"tags": "a"}, "'tags' is of type 'array'"),
        ({"title": "a", "metadata": {"title": "b"}}, "sent twice"),
        ({"blobs": [{"property": "content", "type": "image", "data": "x"}]}, "is of type 'text', not 'image'"),
        ({"blobs": [{"property": "content", "type": "text", "data": 5}]}, "'content' is of type 'text'"),
        ({"canonicalize_source": False, "title": "a"}, "canonicalize_source"),
    ],
)
def test_values_that_do_not_fit_are_refused(http: httpx.Client, bucket: str, body: dict[str, Any], words: str) -> None:
    answer = http.post(f"/buckets/{bucket}/objects", json=body)

    refusal(answer, 422, "ValidationError")
    assert words in answer.text


def test_what_no_text_can_hold_fails_alone_and_is_told(http: httpx.Client, bucket: str) -> None:
    body = b"""{"objects": [
        {"title": "a"}, {"title": "\\ud800"}, {"\\ud800": 1}, {"tags": [NaN]}, {"metadata": {"n": NaN}},
        {"blobs": [{"property": "tags", "type": "array", "data": [NaN]}]},
        {"blobs": [{"property": "photo", "type": "image", "data": "http://\\ud800/"}]}]}"""

    answer = http.post(f"/buckets/{bucket}/objects/batch", content=body, headers={"Content-Type": "application/json"})

    made = answer.raise_for_status().json()
    assert (made["succeeded_count"], [failure["object_index"] for failure in made["failed"]]) == (1, [1, 2, 3, 4, 5, 6])


def test_a_schemas_field_may_stand_at_the_root_under_metadata_or_be_a_blob(http: httpx.Client, bucket: str) -> None:
    blob = {"property": "title", "type": "string", "data": "c"}
    bodies: list[dict[str, Any]] = [{"title": "a"}, {"metadata": {"title": "b", "shelf": 4}}, {"blobs": [blob]}]

    made = [http.post(f"/buckets/{bucket}/objects", json=body).raise_for_status().json() for body in bodies]

    assert [each.get("title") for each in made] == ["a", "b", None]
    assert made[1]["shelf"] == 4
    assert made[2]["blobs"][0]["data"] == "c"


def test_text_in_a_file_is_text(http: httpx.Client, bucket: str) -> None:
    data = {"base64": base64.b64encode("Grüße".encode()).decode(), "filename": "a.md"}
    body = {"blobs": [{"property": "content", "type": "text", "data": data}]}

    (blob,) = http.post(f"/buckets/{bucket}/objects", json=body).raise_for_status().json()["blobs"]

    assert blob["data"] == "Grüße"
    assert blob["details"]["mime_type"] == "text/markdown"


def test_an_object_is_changed_replaced_and_deleted(http: httpx.Client, bucket: str) -> None:
    objects = f"/buckets/{bucket}/objects"
    made = http.post(objects, json={**photo({"base64": ENCODED}), "title": "fox", "content": "red"}).json()
    path = f"{objects}/{made['object_id']}"

    changed = http.patch(path, json={"title": "hare", "metadata": {"seen": True}}).raise_for_status().json()
    assert (changed["title"], changed["seen"], changed["content"]) == ("hare", True, "red")
    assert changed["blobs"] == made["blobs"]

    emptied = http.patch(path, json={"content": None}).raise_for_status().json()
    assert "content" not in emptied
    assert [blob["property"] for blob in emptied["blobs"]] == ["photo"]
    changed = http.patch(path, json={"content": "grey"}).raise_for_status().json()

    # What was answered may be sent back.
    kept = [{name: blob[name] for name in ("property", "type", "data")} for blob in changed["blobs"]]
    replaced = http.put(path, json={"blobs": kept, "title": "owl"}).raise_for_status().json()
    assert [blob["blob_id"] for blob in replaced["blobs"]] == [blob["blob_id"] for blob in changed["blobs"]]
    assert [blob["details"]["hash"] for blob in replaced["blobs"]] == [b["details"]["hash"] for b in changed["blobs"]]
    assert "seen" not in replaced

    assert http.delete(path).status_code == 204
    refusal(http.get(path), 404, "NotFoundError")
    refusal(http.delete(path), 404, "NotFoundError")


def test_a_unique_key_decides_what_becomes_of_the_same_object(http: httpx.Client, client: Mixpeek) -> None:
    key = {"fields": ["title"], "default_policy": "insert"}
    bucket = client.buckets.create(unique("library"), SCHEMA, unique_key=key)
    objects = f"/buckets/{bucket.bucket_id}/objects"
    first = http.post(objects, json={"title": "fox", "content": "red"}).json()

    refused = refusal(http.post(objects, json={"title": "fox"}), 409, "AlreadyExistsError")
    assert refused["details"]["object_id"] == first["object_id"]
    upserted = http.post(f"{objects}?policy=upsert", json={"title": "fox", "content": "brown"}).json()
    assert (upserted["object_id"], upserted["content"]) == (first["object_id"], "brown")
    refusal(http.post(f"{objects}?policy=update", json={"title": "owl"}), 404, "NotFoundError")
    refusal(http.post(objects, json={"content": "no title"}), 422, "ValidationError")
    batch = http.post(f"{objects}/batch", json={"objects": [{"title": "fox"}, {"title": "owl"}]}).json()
    assert [failure["error_type"] for failure in batch["failed"]] == ["AlreadyExistsError"]
    assert batch["succeeded_count"] == 1
    assert bucket.unique_key == key
    refusal(http.patch(f"/buckets/{bucket.bucket_id}", json={"unique_key": None}), 422, "ValidationError")


def test_a_list_tells_its_length_where_that_is_asked_for(http: httpx.Client, bucket: str) -> None:
    for title in ("a", "b", "c"):
        http.post(f"/buckets/{bucket}/objects", json={"title": title}).raise_for_status()

    first = http.post(f"/buckets/{bucket}/objects/list?limit=2&include_total=true").json()
    second = http.post(f"/buckets/{bucket}/objects/list", json={"cursor": first["pagination"]["next_cursor"]}).json()
    chosen = http.post(f"/buckets/{bucket}/objects/list", json={"select": ["metadata.title"]}).json()["results"]

    assert [set(each) for each in chosen] == [{"object_id", "bucket_id", "metadata"}] * 3
    assert [each["metadata"] for each in chosen] == [{"title": title} for title in ("a", "b", "c")]
    assert first["pagination"]["total"] == 3
    assert [each["title"] for each in first["results"] + second["results"]] == ["a", "b", "c"]
    assert second["pagination"]["total"] is None


def test_an_upload_takes_only_as_many_bytes_as_announced_and_may_be_used_in_a_blob(
    http: httpx.Client, bucket: str
) -> None:
    wanted = {
        "filename": "fox.png",
        "content_type": "image/png",
        "file_size_bytes": len(PHOTO),
        "create_object_on_confirm": False,
    }
    place = http.post(f"/buckets/{bucket}/uploads", json=wanted).raise_for_status().json()
    body = {"blobs": [{"property": "photo", "type": "image", "upload_id": place["upload_id"]}]}

    refusal(http.post(f"/buckets/{bucket}/objects", json=body), 400, "BadRequestError")
    refusal(httpx.put(place["presigned_url"], content=PHOTO + b"x"), 413, "BadRequestError")
    httpx.put(place["presigned_url"], content=PHOTO).raise_for_status()
    signed = f"/buckets/{bucket}/uploads/{place['upload_id']}?return_presigned_urls=true"
    before = http.get(signed).json()
    done = http.post(f"/buckets/{bucket}/uploads/{place['upload_id']}/confirm").raise_for_status().json()
    listed = http.post(f"/buckets/{bucket}/uploads/list", json={"return_presigned_urls": True}).json()["results"]
    (blob,) = http.post(f"/buckets/{bucket}/objects", json=body).raise_for_status().json()["blobs"]

    assert done["object_id"] is None
    assert before["presigned_url"] is None, "where to PUT is told to who opens an upload, who may write"
    assert [httpx.get(each["presigned_url"]).content for each in (http.get(signed).json(), *listed)] == [PHOTO] * 2
    assert blob["details"]["filename"] == "fox.png"
    assert blob["data"].endswith("/fox.png")


def test_a_stored_file_is_read_back_through_a_signed_url(http: httpx.Client, bucket: str) -> None:
    body = {**photo({"base64": ENCODED}), "content": "s3://mixpeek/archives/secret"}
    made = http.post(f"/buckets/{bucket}/objects", json=body).raise_for_status().json()

    shown = http.get(f"/buckets/{bucket}/objects/{made['object_id']}?return_presigned_urls=true").json()

    urls = {blob["property"]: blob["presigned_url"] for blob in shown["blobs"]}
    assert httpx.get(urls["photo"]).content == PHOTO
    assert urls["content"] is None


def test_deleting_takes_what_was_made_with_it_and_a_read_bucket_stays(
    client: Mixpeek, http: httpx.Client, make_plugin: MakePlugin
) -> None:
    publish(client, make_plugin("small_words"))
    bucket = client.buckets.create(unique("texts"), SCHEMA).bucket_id
    collection = collection_of(client, bucket, "small_words")
    refusal(http.post(f"/buckets/{bucket}/objects?auto_process=1", json={"tags": "no list"}), 422, "ValidationError")

    made = (
        http.post(f"/buckets/{bucket}/objects?auto_process=true", json={"content": "a fox"}).raise_for_status().json()
    )
    assert client.tasks.wait(made["task_id"], timeout_s=60).status == "COMPLETED"
    other = http.post(f"/buckets/{bucket}/objects", json={"content": "an owl"}).json()["object_id"]
    run_batch(client, collection)
    assert len(all_documents(client, collection)) == 2

    stats = client.buckets.get(bucket).batch_stats
    assert (stats["total"], stats["active"], stats["completed"], stats["failed"]) == (2, 0, 2, 0)
    refusal(http.delete(f"/buckets/{bucket}"), 409, "ConflictError")
    http.delete(f"/buckets/{bucket}/objects/{other}").raise_for_status()
    assert [document["content"] for document in all_documents(client, collection)] == ["a fox"]
    http.delete(f"/buckets/{bucket}?force=true").raise_for_status()
    assert all_documents(client, collection) == []
    refusal(http.get(f"/buckets/{bucket}"), 404, "NotFoundError")


def test_objects_that_nothing_reads_are_not_processed(http: httpx.Client, client: Mixpeek, bucket: str) -> None:
    answer = http.post(f"/buckets/{bucket}/objects?auto_process=true", json={"title": "a"})

    assert "No collection reads" in refusal(answer, 422, "ValidationError")["message"]
    assert client.buckets.get(bucket).object_count == 0
