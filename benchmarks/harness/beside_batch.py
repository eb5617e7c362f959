"""What a running batch does to realtime requests: times of the trivial handler, quiet and while a real batch runs.

The batch embeds texts with int8 MiniLM: objects read, hosts sandboxed, output checked, documents stored, all the cores.
Quiet and busy alternate; a busy measurement counts only if the batch ran before it began and still ran after it ended.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from typing import Any

from harness.figures import Limit, median_ratio
from harness.ours import TEXT_EMBEDDING, Platform, running_platform, write_trivial

CONCURRENCIES = (1, 8, 32)
SLOWER = 3.0
ROWS = 1500
ATTEMPTS = 3
_TEXT = "row {} of a batch that goes on while requests are answered, long enough to give the model something to do"

Measured = dict[tuple[str, int], list[dict[str, Any]]]


class BatchTooShort(Exception):
    """The batch never ran throughout a measurement."""


def measure_beside_batch(rounds: int, seconds: float) -> Measured:
    """Return what the load met, by `quiet` or `busy` and concurrency."""
    met: Measured = defaultdict(list)
    with running_platform() as platform:
        source = write_trivial(platform.folder)
        platform.deploy(platform.publish(source))
        platform.client.plugins.deploy(platform.publish(TEXT_EMBEDDING), batch_only=True)
        bucket_id = _fill_bucket(platform, ROWS)
        target = platform.target("trivial", {"text": "hello"})
        target.settle()
        for number in range(rounds):
            for concurrency in CONCURRENCIES:
                met["quiet", concurrency].append(target.load(concurrency, seconds))
                for attempt in range(ATTEMPTS):
                    task_id = _start_batch(platform, bucket_id, f"round_{number}_{concurrency}_{attempt}")
                    busy = target.load(concurrency, seconds)
                    outlasted = platform.client.tasks.get(task_id).status == "IN_PROGRESS"
                    ended = platform.client.tasks.wait(task_id, timeout_s=300, poll_s=0.1)
                    assert ended.status == "COMPLETED", ended.error
                    if outlasted:
                        met["busy", concurrency].append(busy)
                        break
                else:
                    raise BatchTooShort(f"{ROWS} rows were done in less than {seconds:g} s")
    return met


def report_beside_batch(met: Measured) -> list[Limit]:
    """Print the times and return the limits that they are held against."""
    print("\ntrivial requests, quiet and while a batch of texts runs (medians)")
    print(f"{'':8}{'at':>4}{'req/s':>10}{'p50 ms':>10}{'p99 ms':>10}")
    for (name, concurrency), rounds in sorted(met.items(), key=lambda item: item[0][1]):
        figures = [statistics.median(each[key] for each in rounds) for key in ("rate", "p50_ms", "p99_ms")]
        print(f"{name:8}{concurrency:>4}{figures[0]:>10,.0f}{figures[1]:>10.2f}{figures[2]:>10.2f}")
    return [
        Limit(
            f"batch: p99 while a batch runs ÷ quiet at {concurrency}",
            median_ratio(_p99(met, "busy", concurrency), _p99(met, "quiet", concurrency)),
            "≤",
            SLOWER,
        )
        for concurrency in CONCURRENCIES
    ]


def _p99(met: Measured, name: str, concurrency: int) -> list[float]:
    return [each["p99_ms"] for each in met[name, concurrency]]


def _fill_bucket(platform: Platform, rows: int) -> str:
    bucket_id: str = platform.client.buckets.create("texts", {"properties": {"text": {"type": "text"}}}).bucket_id
    for at in range(0, rows, 500):
        objects = [
            {"blobs": [{"property": "text", "type": "text", "data": _TEXT.format(number)}]}
            for number in range(at, min(rows, at + 500))
        ]
        platform.client.objects.create_batch(bucket_id, objects)
    return bucket_id


def _start_batch(platform: Platform, bucket_id: str, name: str) -> str:
    """Trigger a batch over the bucket and return its task once documents have been stored."""
    client = platform.client
    collection = client.collections.create(
        collection_name=name,
        source={"type": "bucket", "bucket_ids": [bucket_id]},
        feature_extractor={"feature_extractor_name": "text_embedding", "version": "1.0.0"},
    )
    task_id: str = client.collections.trigger(collection.collection_id).task_id
    while not _documents(platform, collection.collection_id):
        task = client.tasks.get(task_id)
        assert task.status in ("PENDING", "QUEUED", "IN_PROGRESS"), task.error
        time.sleep(0.05)
    return task_id


def _documents(platform: Platform, collection_id: str) -> list[Any]:
    found: list[Any] = platform.client.documents.list(collection_id, limit=1)["results"]
    return found
