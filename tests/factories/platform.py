"""Things on a running platform, made through the SDK: published plugins, filled buckets, collections, searches."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mixpeek import Mixpeek

BUCKET_SCHEMA = {"properties": {"content": {"type": "text", "required": True}, "topic": {"type": "string"}}}
_OBJECTS_PER_REQUEST = 1000


def unique(prefix: str) -> str:
    """Return a name that nothing else has."""
    return f"{prefix}_{secrets.token_hex(4)}"


def publish(
    client: Mixpeek, plugin_dir: Path, *, version: str | None = "1.0.0", deploy: bool = False, **upload: Any
) -> str:
    """Publish a plugin's folder under the folder's name and return its plugin id; with `deploy`, once DEPLOYED."""
    plugin_id: str = client.plugins.upload(plugin_dir, version=version, **upload).plugin_id
    if deploy:
        status = deployed(client, plugin_id)
        assert status.status == "DEPLOYED", status
    return plugin_id


def deployed(client: Mixpeek, plugin_id: str) -> Any:
    """Deploy a version and return its status once the rollout has ended, however it ended."""
    client.tasks.wait(client.plugins.deploy(plugin_id).task_id, timeout_s=60)
    return client.plugins.status(plugin_id)


def bucket_with(client: Mixpeek, texts: Sequence[str], *, topics: Sequence[str] = ()) -> str:
    """Make a bucket with one object per text, and return its id."""
    bucket_id: str = client.buckets.create(bucket_name=unique("texts"), bucket_schema=BUCKET_SCHEMA).bucket_id
    objects = [
        {
            "blobs": [{"property": "content", "type": "text", "data": text}],
            **({"topic": topics[place]} if topics else {}),
        }
        for place, text in enumerate(texts)
    ]
    for start in range(0, len(objects), _OBJECTS_PER_REQUEST):
        made = client.objects.create_batch(bucket_id, objects[start : start + _OBJECTS_PER_REQUEST])
        assert not made["failed"], made["failed"][:3]
    return bucket_id


def collection_of(
    client: Mixpeek,
    bucket_id: str,
    extractor: str,
    *,
    version: str | None = "1.0.0",
    parameters: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Any:
    """Make a collection that maps the bucket's `content` to the extractor's `text` and keeps `content`."""
    return client.collections.create(
        collection_name=unique("collection"),
        source={"type": "bucket", "bucket_ids": [bucket_id]},
        feature_extractor={
            "feature_extractor_name": extractor,
            "version": version,
            "parameters": dict(parameters or {}),
            "input_mappings": {"text": "content"},
            "field_passthrough": ["content"],
            **fields,
        },
    )


def run_batch(client: Mixpeek, collection: Any, *, within_s: float = 180) -> Any:
    """Trigger a collection and return its task once it has ended."""
    triggered = client.collections.trigger(collection.collection_id)
    return client.tasks.wait(triggered.task_id, timeout_s=within_s)


def all_documents(client: Mixpeek, collection: Any, **options: Any) -> list[Any]:
    """Return every document of a collection, page by page."""
    found: list[Any] = []
    cursor = None
    while True:
        page = client.documents.list(collection.collection_id, limit=1000, cursor=cursor, **options)
        found += page["results"]
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            return found


def retriever_over(client: Mixpeek, collection: Any, *, top_k: int = 10) -> str:
    """Make a retriever that searches a collection's first feature for the input `query`, and return its id."""
    made = client.retrievers.create(
        retriever_name=unique("search"),
        collection_identifiers=[collection.collection_id],
        input_schema={"query": {"type": "text", "required": True}},
        stages=[
            {
                "stage_name": "search",
                "stage_type": "filter",
                "config": {
                    "stage_id": "feature_search",
                    "parameters": {
                        "searches": [
                            {
                                "feature_uri": collection["vector_indexes"][0]["feature_uri"],
                                "query": {"input_mode": "text", "value": "{{INPUT.query}}"},
                                "top_k": top_k,
                            }
                        ],
                    },
                },
            }
        ],
    )
    retriever_id: str = made.retriever_id
    return retriever_id


def search(client: Mixpeek, collection: Any, query: str) -> list[Any]:
    """Return the documents nearest to `query`, best first."""
    found: list[Any] = client.retrievers.execute(retriever_over(client, collection), inputs={"query": query})[
        "documents"
    ]
    return found
