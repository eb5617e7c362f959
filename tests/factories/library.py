"""A small collection of texts that is searched in every way, and short ways to ask it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from factories.platform import publish, run_batch, unique
from factories.plugins import write_plugin
from factories.servers import API_KEY, Server
from mixpeek import Mixpeek

SCHEMA = {
    "properties": {
        "content": {"type": "text", "required": True},
        "topic": {"type": "string"},
        "year": {"type": "integer"},
        "tags": {"type": "array"},
        "sku": {"type": "string"},
    }
}
ROWS = [
    ("red apples and green pears", "fruit", 2019, ["a", "b"]),
    ("green apples in a basket", "fruit", 2021, ["b"]),
    ("the cat on the mat", "pets", 2020, ["c"]),
    ("the dog and the cat", "pets", 2022, ["c", "a"]),
    ("rain in the north", "weather", 2018, []),
    ("sun in the south and rain in the north", "weather", 2023, ["d"]),
]
# Scores a text by the words it shares with the query.
RERANKER = """
words = set(request['query'].split())
return {'scores': [float(len(words & set(text.split()))) for text in request['documents']]}
"""


@dataclass
class Library:
    """A namespace with a filled collection, and ways to ask it.

    The collection `others` has the same documents by another plugin, whose vectors are longer and named alike.
    """

    client: Mixpeek
    http: httpx.Client
    collection: Any
    uri: str
    other_uri: str

    @property
    def text_uri(self) -> str:
        return f"{self.uri.rpartition('/')[0]}/text"

    def search(self, query: Any = "{{INPUT.query}}", *, uri: str | None = None, **fields: Any) -> dict[str, Any]:
        return {"feature_uri": uri or self.uri, "query": query, **fields}

    def stage(self, stage_id: str, /, pre_filters: Any = None, post_filters: Any = None, **parameters: Any) -> Any:
        config: dict[str, Any] = {"stage_id": stage_id, "parameters": parameters}
        config |= {"pre_filters": pre_filters} if pre_filters else {}
        config |= {"post_filters": post_filters} if post_filters else {}
        return {"stage_name": unique(stage_id), "config": config}

    def join(self, target: str, field: str, taken: list[str], into: str) -> dict[str, Any]:
        """Return a stage that puts fields of the documents with the same value into those that come in."""
        return self.stage(
            "document_enrich",
            target_collection_id=target,
            source_field=field,
            target_field=field,
            fields_to_merge=taken,
            output_field=into,
        )

    def run(self, *stages: Any, query: str = "the cat on the mat", **body: Any) -> Any:
        """Run stages that are not kept and return the answer."""
        inputs = {"query": query, **body.pop("inputs", {})}
        answer = self.http.post(
            "/retrievers/execute",
            json={
                "collection_identifiers": [self.collection.collection_id],
                "stages": list(stages),
                "inputs": inputs,
                **body,
            },
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def texts(self, *stages: Any, **more: Any) -> list[str]:
        return [document["content"] for document in self.run(*stages, **more)["documents"]]

    def refused(self, *stages: Any, **body: Any) -> dict[str, Any]:
        answer = self.http.post(
            "/retrievers/execute",
            json={
                "collection_identifiers": [self.collection.collection_id],
                "stages": list(stages),
                "inputs": {"query": "x"},
                **body,
            },
        )
        assert answer.status_code == 422, answer.text
        error: dict[str, Any] = answer.json()["error"]
        return error


@contextmanager
def open_library(server: Server, plugins: Path) -> Iterator[Library]:
    """Make a namespace with plugins that count words, one that scores texts, and two collections of six documents."""
    with server.client() as client:
        publish(client, write_plugin(plugins / "small_words"))
        publish(client, write_plugin(plugins / "other_words", dimension=16))
        publish(client, write_plugin(plugins / "overlap", predict=RERANKER), deploy=True)
        bucket = client.buckets.create(bucket_name=unique("library"), bucket_schema=SCHEMA).bucket_id
        client.objects.create_batch(
            bucket,
            [
                {"content": text, "topic": topic, "year": year, "tags": tags, "sku": f"s{n}"}
                for n, (text, topic, year, tags) in enumerate(ROWS)
            ],
        )
        made = []
        for name, extractor in (("library", "small_words"), ("others", "other_words")):
            collection = client.collections.create(
                collection_name=name,
                source={"type": "bucket", "bucket_ids": [bucket]},
                feature_extractor={
                    "feature_extractor_name": extractor,
                    "version": "1.0.0",
                    "input_mappings": {"text": "content"},
                    "field_passthrough": ["content", "topic", "year", "tags", "sku"],
                },
            )
            assert run_batch(client, collection).status == "COMPLETED"
            made.append(collection)
        uris = [collection["vector_indexes"][0]["feature_uri"] for collection in made]
        headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
        with httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=60, verify=False) as http:
            yield Library(client, http, made[0], *uris)
