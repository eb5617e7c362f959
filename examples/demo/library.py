"""The standard library on the platform: publish the extractor, upload the docstrings, run the batch, ask.

All of it goes through the SDK: this is the file to read for how an application uses the platform.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mixpeek import Mixpeek
from mixpeek.client import ApiError, Response

from .failure import DemoFailed
from .harvest import Entry

PLUGIN = Path(__file__).resolve().parents[1] / "plugins" / "text_embedding"
VERSION = "1.0.0"
FEATURE = f"mixpeek://text_embedding@{VERSION}/text_embedding_vector"
NAMESPACE, BUCKET, COLLECTION, RETRIEVER = "stdlib_demo", "docstrings", "docstrings_by_meaning", "by_meaning"
UPLOAD_OBJECTS = 1000
POLL_S = 0.25


@dataclass(frozen=True)
class Answer:
    """One entry that was found; `score` is the cosine of its vector and the question's."""

    name: str
    kind: str
    content: str
    score: float


def is_filled(client: Mixpeek) -> bool:
    """Tell whether an earlier run filled this server: the retriever is made last."""
    try:
        client.retrievers.get(RETRIEVER)
    except ApiError as error:
        if error.status == 404:
            return False
        raise
    return True


def create_namespace(client: Mixpeek) -> None:
    """Create the demo's namespace.

    Raises: DemoFailed: an earlier run made it and did not get to its end.
    """
    try:
        client.namespaces.create(NAMESPACE)
    except ApiError as error:
        if error.status == 409:
            raise DemoFailed(
                "An earlier run with this folder did not finish; remove the folder, then try again"
            ) from error
        raise


def publish_extractor(client: Mixpeek) -> str:
    """Publish the example plugin, deploy it, and return its plugin id once it answers requests."""
    published = client.plugins.upload(PLUGIN, version=VERSION, message="Published by the demo")
    plugin_id = str(published.plugin_id)
    client.plugins.deploy(plugin_id)
    status = client.plugins.wait(plugin_id, timeout_s=120)
    if status.status != "DEPLOYED":
        raise DemoFailed(f"The deployment of {plugin_id} ended {status.status}: {status.get('error')}")
    return plugin_id


def create_bucket(client: Mixpeek) -> None:
    """Create the bucket: each object is a name, a kind, and a text to search in."""
    client.buckets.create(
        BUCKET,
        {
            "properties": {
                "content": {"type": "text", "required": True},
                "name": {"type": "string", "required": True},
                "kind": {"type": "string"},
            }
        },
    )


def upload(client: Mixpeek, entries: Sequence[Entry], on_progress: Callable[[int], None]) -> None:
    """Add an object for each entry, 1,000 in one request; `on_progress` gets the number sent so far.

    Raises: DemoFailed: the server refused one.
    """
    for start in range(0, len(entries), UPLOAD_OBJECTS):
        part = entries[start : start + UPLOAD_OBJECTS]
        answer = client.objects.create_batch(BUCKET, [_object(entry) for entry in part])
        if answer.failed:
            first = answer.failed[0]
            raise DemoFailed(f"{part[first.object_index].name} was refused: {first.error}")
        on_progress(start + len(part))


def create_collection(client: Mixpeek) -> None:
    """Create the collection: the extractor reads `content` of each object and writes one document with a vector."""
    bucket_id = client.buckets.get(BUCKET).bucket_id
    client.collections.create(
        COLLECTION,
        source={"type": "bucket", "bucket_ids": [bucket_id]},
        feature_extractor={
            "feature_extractor_name": "text_embedding",
            "version": VERSION,
            "input_mappings": {"text": "content"},
            "field_passthrough": ["name", "kind", "content"],
        },
    )


def run_batch(client: Mixpeek, expected: int, on_progress: Callable[[int], None]) -> None:
    """Run the extractor over the bucket; `on_progress` gets the number of objects committed so far.

    Raises: DemoFailed: it does not complete, or there are not exactly `expected` documents afterwards.
    """

    def report(task: Response) -> None:
        progress = task.additional_data.get("progress") or {}
        on_progress(progress.get("objects_committed", 0))

    triggered = client.collections.trigger(COLLECTION)
    task = client.tasks.wait(triggered.task_id, report, poll_s=POLL_S)
    if task.status != "COMPLETED":
        raise DemoFailed(f"The batch {triggered.batch_id} ended {task.status}: {task.get('error')}")
    stored = client.documents.list(COLLECTION, limit=1).stats.total_documents
    if not triggered.object_count == stored == expected:
        batched = triggered.object_count
        raise DemoFailed(f"{expected} objects were uploaded, {batched} batched, and {stored} documents are stored")


def create_retriever(client: Mixpeek) -> None:
    """Create the retriever: it embeds the question with the extractor that made the vectors, and ranks by cosine."""
    client.retrievers.create(
        RETRIEVER,
        collection_identifiers=[COLLECTION],
        input_schema={"question": {"type": "text", "required": True}},
        stages=[
            {
                "stage_name": "search",
                "stage_id": "feature_search",
                "parameters": {
                    "searches": [{"feature_uri": FEATURE, "query": "{{INPUT.question}}", "top_k": 10}],
                    "final_top_k": 3,
                },
            }
        ],
    )


def ask(client: Mixpeek, question: str) -> list[Answer]:
    """Return the three nearest entries, best first."""
    found = client.retrievers.execute(RETRIEVER, {"question": question}).documents
    return [Answer(hit.name, hit.kind, hit.content, hit.score) for hit in found]


def _object(entry: Entry) -> dict[str, object]:
    # The name says as much as the docstring: it is part of what is searched.
    content = f"{entry.name}: {entry.text}"
    return {"blobs": [{"property": "content", "type": "text", "data": content}], "name": entry.name, "kind": entry.kind}
