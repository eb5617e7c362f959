"""What a running batch does to realtime requests: times of the trivial handler, quiet and while a real batch runs.

The batch embeds texts with int8 MiniLM: objects read, hosts sandboxed, output checked, documents stored, all the cores.
Quiet and busy alternate by rounds; a busy measurement counts only if rows were stored before it began and others were
still to be when it ended.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from harness.figures import Limit, median_ratio
from harness.ours import TEXT_EMBEDDING, Platform, running_platform, write_trivial

CONCURRENCIES = (1, 8, 32)
SLOWER = 3.0
ROWS = 2000
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
        batches = Batches(platform)
        target = platform.target("trivial", {"text": "hello"})
        target.settle()
        for number in range(rounds):
            for concurrency in CONCURRENCIES:
                met["quiet", concurrency].append(target.load(concurrency, seconds))
            for concurrency in CONCURRENCIES:
                met["busy", concurrency].append(batches.run_throughout(lambda at=concurrency: target.load(at, seconds)))
            if number < rounds - 1:
                batches.wait_until_none()
            print(f"batch: round {number + 1} of {rounds} done", file=sys.stderr, flush=True)
    return met


class Batches:
    """Batches of texts on a platform, one at a time."""

    def __init__(self, platform: Platform) -> None:
        self._client = platform.client
        self._bucket_id = self._fill_bucket()
        self._task_id: str | None = None
        self._started = 0

    def run_throughout(self, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what is measured while a batch works on rows from beginning to end; raise BatchTooShort."""
        for _ in range(ATTEMPTS):
            if not self._is_working():
                self._start()
            measured = measure()
            if self._is_working():
                return measured
        raise BatchTooShort(f"A batch of {ROWS} rows never lasted as long as a measurement; measure for fewer seconds")

    def wait_until_none(self) -> None:
        """Wait for the batch that runs."""
        assert self._task_id is not None
        ended = self._client.tasks.wait(self._task_id, timeout_s=600, poll_s=0.2)
        assert ended.status == "COMPLETED", ended.error

    def _is_working(self) -> bool:
        """Return whether rows have been stored and others are still to be."""
        if self._task_id is None:
            return False
        task = self._client.tasks.get(self._task_id)
        assert task.status != "FAILED", task.error
        return task.status == "PROCESSING" and bool(task["additional_data"]["progress"]["chunks_committed"])

    def _start(self) -> None:
        """Start a batch and wait until its first rows are stored: its hosts have loaded the model."""
        if self._task_id is not None:
            self.wait_until_none()
        self._started += 1
        collection = self._client.collections.create(
            collection_name=f"texts_{self._started}",
            source={"type": "bucket", "bucket_ids": [self._bucket_id]},
            feature_extractor={"feature_extractor_name": "text_embedding", "version": "1.0.0"},
        )
        self._task_id = self._client.collections.trigger(collection.collection_id).task_id
        while not self._is_working():
            if self._client.tasks.get(self._task_id).status == "COMPLETED":
                return
            time.sleep(0.05)

    def _fill_bucket(self) -> str:
        client = self._client
        bucket_id: str = client.buckets.create("texts", {"properties": {"text": {"type": "text"}}}).bucket_id
        for at in range(0, ROWS, 500):
            objects = [
                {"blobs": [{"property": "text", "type": "text", "data": _TEXT.format(number)}]}
                for number in range(at, min(ROWS, at + 500))
            ]
            client.objects.create_batch(bucket_id, objects)
        return bucket_id


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
