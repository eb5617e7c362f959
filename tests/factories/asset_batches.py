"""Batches whose rows name a stored file, which the plugin reads; and what becomes of one while the store is away."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from factories import files
from factories.platform import all_documents, bucket_with, collection_of, publish
from factories.plugins import write_plugin
from factories.servers import API_KEY, Server
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.client.files import LocalFile

CONTENT = files.png(40, 30)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PLUGIN = "reads_files"
ROWS = 60
_PHOTOS = {"properties": {"photo": {"type": "image"}}}
_BATCH = """
    import hashlib
    import time

    from shared.plugins import open_asset

    digests = []
    for url in batch["data"]:
        time.sleep(0.05)
        with open_asset(url) as asset:
            digests.append(hashlib.sha256(asset.read()).hexdigest())
    batch["digest"] = digests
    batch[FEATURE] = column_of(batch["data"])
"""
# Small chunks, so that some are committed and some are not when the store is taken away.
SETTINGS = {"MIXPEEK_CHUNK_ROWS": "10", "MIXPEEK_BATCH_HOSTS": "1"}


@dataclass(frozen=True)
class Photo:
    """A file in a bucket: its object, and its address as rows hold it."""

    bucket_id: str
    object: Any
    url: str


def upload_photo(client: Mixpeek, folder: Path) -> Photo:
    """Upload a picture as a client does: to a presigned URL, then confirmed."""
    path = folder / "photo.png"
    path.write_bytes(CONTENT)
    bucket_id = client.buckets.create(bucket_name="photos", bucket_schema=_PHOTOS).bucket_id
    sent = client.buckets.upload_file(bucket_id, LocalFile(path, "photo.png"))
    assert sent.object_id is not None
    made = client.objects.get(bucket_id, sent.object_id)
    return Photo(bucket_id, made, made["blobs"][0]["data"])


def publish_reader(client: Mixpeek, folder: Path, *, deploy: bool = False) -> str:
    """Publish a plugin that reads the file that each row names."""
    return publish(client, write_plugin(folder / PLUGIN, batch=_BATCH), deploy=deploy)


def check_outage(server: Server, folder: Path, take_away: Callable[[], None], give_back: Callable[[], None]) -> None:
    """Take the store away in the middle of a batch: it says that it waits, and once it is back misses nothing."""
    with server.client() as client:
        publish_reader(client, folder)
        photo = upload_photo(client, folder)
        bucket_id = bucket_with(client, [photo.url] * ROWS)
        collection = collection_of(client, bucket_id, PLUGIN)
        headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
        with httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=60) as http:
            triggered = client.collections.trigger(collection.collection_id)
            path = f"/buckets/{bucket_id}/batches/{triggered.batch_id}"

            def progress() -> dict[str, Any]:
                found: dict[str, Any] = http.get(path).raise_for_status().json()["progress"]
                return found

            until(lambda: progress()["chunks_committed"] >= 1, what="a chunk is committed", within_s=90)
            take_away()
            paused = until(lambda: progress()["paused"], what="the batch waits", within_s=90)
            health = http.get("/health")
            refused = http.post(
                f"/buckets/{photo.bucket_id}/objects",
                json={"blobs": [{"property": "photo", "type": "image", "data": photo.url}]},
            )
            listed = http.post(f"/collections/{collection.collection_id}/documents/list", json={})
            give_back()
            ended = client.tasks.wait(triggered.task_id, timeout_s=180)
            documents = all_documents(client, collection)

    assert paused is not None
    assert paused["cause"] == "object_store_away"
    assert (health.status_code, health.json()["data"]["objects"]) == (200, False)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "objects.away"), refused.text
    assert listed.status_code == 200
    assert (ended.status, ended.error) == ("COMPLETED", None)
    assert len(documents) == ROWS
    assert {document["digest"] for document in documents} == {DIGEST}
