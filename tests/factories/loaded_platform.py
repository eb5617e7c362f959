"""A server with something of everything that is kept, and a load on it: what a backup has to bring back."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from factories.platform import all_documents, bucket_with, collection_of, publish, retriever_over, run_batch
from factories.plugins import write_plugin
from mixpeek import Mixpeek
from mixpeek.client.files import LocalFile

TEXTS = ["red apples and pears", "the cat on the mat", "rain in the north"]
# A batch of 150 chunks that takes some seconds, so that a backup falls into it.
LONG = [f"text number {number} of many" for number in range(3000)]
SLOW = """
import time

time.sleep(0.02)
batch[FEATURE] = column_of(batch['data'])
"""
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
# Tells what it was given as a secret without telling it.
SEALED = """
    import hashlib
    from .embedding import embed
    from shared.plugins.sdk import concurrent_api_calls


    class RealtimeHandler:
        def __init__(self, container):
            self.read = container.secrets.get

        def predict(self, request):
            said = {"embedding": embed(request["text"]).tolist()}
            if request.get("sealed"):
                value = concurrent_api_calls(self.read, ["token"])[0]
                said["sealed"] = hashlib.sha256(value.encode()).hexdigest()
            return said
"""
SECRET = "a secret value"
SETTINGS = {"MIXPEEK_BATCH_HOSTS": "1", "MIXPEEK_CHUNK_ROWS": "20"}


@dataclass
class Loaded:
    """A deployed plugin, a filled collection, a secret, a webhook and a stored file, and a long batch to be run."""

    client: Mixpeek
    collection: Any
    retriever_id: str
    long: Any
    pictures: str

    def answers(self, client: Mixpeek) -> dict[str, Any]:
        """Return what clients get of everything that the load leaves alone."""
        deployment = client.plugins.status("words_1_0_0")
        found = client.retrievers.execute(self.retriever_id, {"query": "a cat on a mat"})["documents"]
        return {
            "search": [(document["document_id"], document["content"], document["score"]) for document in found],
            "documents": all_documents(client, self.collection, return_vectors=True),
            "history": client.plugins.versions("words")["versions"],
            "archive": sha256(client.plugins.download_archive("words_1_0_0")).hexdigest(),
            "realtime": client.inference.ask("words", {"text": "a cat"})["output"],
            "secrets": client.secrets.list()["secrets"],
            "secret": client.inference.ask("words", {"text": "a cat", "sealed": True})["output"]["sealed"],
            "webhook": client.webhooks.get("told"),
            "deployment": {name: deployment[name] for name in ("status", "version", "deployed_at", "code_hash")},
            # Without its counts of batches, which the load moves.
            "buckets": [(each.bucket_id, each.bucket_name, each.bucket_schema) for each in client.buckets.iterate()],
            "objects": client.objects.list(self.collection.source["bucket_ids"][0])["results"],
            "collection": client.collections.get(self.collection.collection_id),
            "pictures": client.objects.list(self.pictures)["results"],
            "retriever": client.retrievers.get(self.retriever_id),
        }

    def written(self, client: Mixpeek) -> list[Any]:
        """Return what the long batch wrote: identity and vector of every document, in order."""
        found = all_documents(client, self.long, return_vectors=True)
        return sorted((document["content"], document["words_vector"]) for document in found)

    @contextmanager
    def load(self, folder: Path) -> Iterator[list[str]]:
        """Publish and search for as long as the context lasts; yields the ids of what was published so far."""
        ended, published, faults = threading.Event(), list[str](), list[BaseException]()

        def forever(act: Callable[[int], None]) -> None:
            number = 0
            while not ended.wait(0.1):  # a pace that leaves processor time to the batch
                try:
                    act(number)
                except BaseException as error:
                    faults.append(error)
                    return
                number += 1

        def publish_one(number: int) -> None:
            plugin = write_plugin(folder / f"v{number}" / "busy_words", version=f"1.0.{number}")
            published.append(publish(self.client, plugin, version=f"1.0.{number}"))

        def search_once(_: int) -> None:
            assert self.client.retrievers.execute(self.retriever_id, {"query": "red apples"})["documents"]

        threads = [threading.Thread(target=forever, args=(act,)) for act in (publish_one, search_once)]
        for thread in threads:
            thread.start()
        try:
            yield published
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        assert faults == []


def fill(client: Mixpeek, folder: Path) -> Loaded:
    """Make something of everything in a client's namespace."""
    picture = folder / "dot.png"
    picture.write_bytes(PICTURE)
    words = write_plugin(folder / "words")
    (words / "realtime.py").write_text(textwrap.dedent(SEALED))
    client.secrets.create("token", SECRET)
    client.webhooks.create("told", "https://hooks.example/told", ["object.deleted"])
    publish(client, words, deploy=True)
    publish(client, write_plugin(folder / "slow_words", batch=SLOW))
    collection = collection_of(client, bucket_with(client, TEXTS), "words")
    assert run_batch(client, collection).status == "COMPLETED"
    long = collection_of(client, bucket_with(client, LONG), "slow_words")
    schema = {"properties": {"picture": {"type": "image"}}}
    pictures = client.buckets.create(bucket_name="pictures", bucket_schema=schema).bucket_id
    client.buckets.upload_file(pictures, LocalFile(picture, picture.name), blob_property="picture")
    return Loaded(client, collection, retriever_over(client, collection), long, pictures)
