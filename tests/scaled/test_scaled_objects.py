"""Objects in a real S3 server: signed by it, whole in it, and waited for when it is away."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from factories.asset_batches import CONTENT, DIGEST, PLUGIN, SETTINGS, check_outage, publish_reader, upload_photo
from factories.platform import all_documents, bucket_with, collection_of, run_batch, search
from factories.seaweed import Seaweed
from factories.servers import API_KEY, Server
from mixpeek.errors import NotFound
from mixpeek.objects.errors import ObjectStoreAway, ObjectTooLarge
from mixpeek.objects.store import MARK, ObjectStore

MIB = 1024 * 1024


@pytest.fixture
def store(seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ObjectStore:
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    return ObjectStore(seaweed.url, tmp_path)


@pytest.fixture(scope="module")
def server(seaweed: Seaweed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # type: ignore[override]
    """A server whose objects lie in S3."""
    settings = {**SETTINGS, **seaweed.environment, "MIXPEEK_OBJECTS_URL": f"{seaweed.url}/server"}
    settings |= {"MIXPEEK_MAX_BLOB_BYTES": str(MIB), "MIXPEEK_MAX_ARCHIVE_BYTES": str(MIB)}
    own = Server(tmp_path_factory.mktemp("s3") / "data", settings)
    try:
        yield own.start()
        assert own.stop() == 0
    finally:
        own.discard()


@pytest.mark.parametrize("size", [0, 5, 5 * MIB, 5 * MIB + 1, 12 * MIB])
def test_what_is_put_is_read_whole_in_one_part_or_several(store: ObjectStore, size: int) -> None:
    content = os.urandom(size)

    stored = store.put("some/key", (content[at : at + MIB] for at in range(0, size, MIB)), limit_bytes=size)

    assert (stored.size_bytes, stored.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert b"".join(store.read("some/key")) == content
    assert store.size("some/key") == size


def test_what_exceeds_its_limit_is_not_kept(store: ObjectStore) -> None:
    with pytest.raises(ObjectTooLarge):
        store.put("large", (bytes(MIB) for _ in range(12)), limit_bytes=11 * MIB)

    assert not store.exists("large")


def test_what_was_put_to_a_url_that_the_store_signed_arrives_with_its_etag(store: ObjectStore) -> None:
    put, got = store.presign("PUT", "signed", 60), store.presign("GET", "signed", 60)
    assert put is not None
    assert got is not None

    answer = httpx.put(put, content=b"content", headers={"Content-Type": "application/zip"})

    with store.arrived("signed", limit_bytes=7) as copy:
        assert (copy.size_bytes, copy.sha256) == (7, hashlib.sha256(b"content").hexdigest())
        assert copy.has_etag(answer.headers["ETag"])
        assert copy.has_etag(copy.sha256)
        assert not copy.has_etag('"another"')
    assert httpx.get(got).content == b"content"
    assert httpx.put(got, content=b"other").status_code == 403


def test_what_arrived_and_is_too_large_is_deleted(store: ObjectStore) -> None:
    put = store.presign("PUT", "too-large", 60)
    assert put is not None
    httpx.put(put, content=b"12345678").raise_for_status()

    with pytest.raises(ObjectTooLarge, match="8 bytes, its limit is 7"), store.arrived("too-large", limit_bytes=7):
        pass

    assert not store.exists("too-large")


def test_a_bucket_without_the_mark_is_away_and_not_empty(store: ObjectStore, seaweed: Seaweed) -> None:
    import obstore

    with pytest.raises(NotFound):
        store.size("nothing")
    obstore.delete(seaweed.store(), MARK)
    try:
        for ask in (lambda: store.size("nothing"), store.check, lambda: store.exists("nothing")):
            with pytest.raises(ObjectStoreAway, match=MARK):
                ask()
    finally:
        obstore.put(seaweed.store(), MARK, b"again", use_multipart=False)
    store.check()


def test_a_store_whose_mark_was_seen_before_is_not_begun_in_again(
    seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    begun, url = tmp_path / "begun", f"{seaweed.url}/emptied"
    ObjectStore(url, tmp_path, begun=begun).put("key", [b"x"], limit_bytes=1)
    import obstore

    obstore.delete(seaweed.store(), f"emptied/{MARK}")

    with pytest.raises(ObjectStoreAway, match=MARK):
        ObjectStore(url, tmp_path, begun=begun).put("key", [b"x"], limit_bytes=1)


def test_from_plugin_to_answer_with_every_byte_in_s3(server: Server, seaweed: Seaweed, tmp_path: Path) -> None:
    with server.client() as client:
        plugin_id = publish_reader(client, tmp_path, deploy=True)
        photo = upload_photo(client, tmp_path)
        collection = collection_of(client, bucket_with(client, [photo.url, photo.url]), PLUGIN)

        task = run_batch(client, collection)
        documents = all_documents(client, collection)
        found = search(client, collection, photo.url)
        headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
        path = f"/v1/buckets/{photo.bucket_id}/objects/{photo.object['object_id']}?return_presigned_urls=true"
        signed = httpx.get(f"{server.url}{path}", headers=headers).json()
        archive = client.plugins.download(plugin_id)

    assert (task.status, task.error) == ("COMPLETED", None)
    assert [document["digest"] for document in documents] == [DIGEST, DIGEST]
    assert len(found) == 2
    address = signed["blobs"][0]["presigned_url"]
    assert address.startswith(f"{seaweed.endpoint}/objects/server/namespaces/")
    assert httpx.get(address).content == CONTENT
    assert archive.presigned_url.startswith(seaweed.endpoint)
    assert not (server.data_dir / "objects").exists()
    kinds = {key.split("/")[1] for key in seaweed.list_keys() if key.startswith("server/")}
    assert {MARK, "archives", "namespaces"} <= kinds


def test_a_file_larger_than_allowed_is_refused_at_confirm_and_deleted(
    server: Server, seaweed: Seaweed, tmp_path: Path
) -> None:
    with server.client() as client:
        bucket_id = client.buckets.create(
            bucket_name="large", bucket_schema={"properties": {"photo": {"type": "image"}}}
        ).bucket_id
        headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
        with httpx.Client(base_url=f"{server.url}/v1/buckets/{bucket_id}", headers=headers) as http:
            place = http.post("/uploads", json={"filename": "large.png", "content_type": "image/png"}).json()
            httpx.put(place["presigned_url"], content=CONTENT + bytes(MIB)).raise_for_status()

            refused = http.post(f"/uploads/{place['upload_id']}/confirm")
            again = http.post(f"/uploads/{place['upload_id']}/confirm")

    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "objects.too_large")
    assert (again.status_code, again.json()["error"]["code"]) == (400, "catalog.upload_not_ready")
    assert not any(place["upload_id"] in key for key in seaweed.list_keys())


def test_another_etag_than_the_put_answered_is_refused(server: Server, tmp_path: Path) -> None:
    with server.client() as client:
        bucket_id = client.buckets.create(
            bucket_name="tags", bucket_schema={"properties": {"photo": {"type": "image"}}}
        ).bucket_id
        headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
        with httpx.Client(base_url=f"{server.url}/v1/buckets/{bucket_id}", headers=headers) as http:
            place = http.post("/uploads", json={"filename": "a.png", "content_type": "image/png"}).json()
            answer = httpx.put(place["presigned_url"], content=CONTENT)

            refused = http.post(f"/uploads/{place['upload_id']}/confirm", json={"etag": '"another"'})
            taken = http.post(f"/uploads/{place['upload_id']}/confirm", json={"etag": answer.headers["ETag"]})

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "catalog.upload_not_ready")
    assert taken.status_code == 200


def test_where_clients_do_not_reach_the_store_the_server_signs_and_hands_content_through(
    seaweed: Seaweed, tmp_path: Path
) -> None:
    settings = {
        **seaweed.environment,
        "MIXPEEK_OBJECTS_URL": f"{seaweed.url}/hidden",
        "MIXPEEK_OBJECTS_PRESIGN": "server",
    }
    own = Server(tmp_path / "data", settings)
    try:
        with own.start().client() as client:
            photo = upload_photo(client, tmp_path)
            plugin_id = publish_reader(client, tmp_path)
            address = client.plugins.download(plugin_id).presigned_url
            archive = client.plugins.download_archive(plugin_id)
    finally:
        own.discard()

    assert address.startswith(f"{own.url}/v1/blobs/")
    assert archive[:2] == b"\x1f\x8b"
    assert any(photo.url.removeprefix("s3://mixpeek/") in key for key in seaweed.list_keys())


def test_urls_are_signed_for_the_address_that_clients_reach_the_store_by(
    seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    public = seaweed.endpoint.replace("127.0.0.1", "localhost")
    store = ObjectStore(seaweed.url, tmp_path, public_endpoint=public)
    store.put("public", [b"content"], limit_bytes=10)

    address = store.presign("GET", "public", 60)

    assert address is not None
    assert address.startswith(public)
    assert httpx.get(address).content == b"content"


def test_a_batch_waits_while_s3_is_killed_and_goes_on_once_it_is_started_again(
    server: Server, seaweed: Seaweed, tmp_path: Path
) -> None:
    check_outage(server, tmp_path, take_away=seaweed.kill, give_back=seaweed.start)
