"""Batches of a whole server, from `trigger` to their end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from harness.cheap import write_cheap
from harness.ours import Platform
from peers.batch_processors import CHEAP_BATCH


class EndToEnd:
    """A platform with the cheap plugin, and its buckets by size."""

    def __init__(self, platform: Platform, batch_size: int = CHEAP_BATCH) -> None:
        self.platform = platform
        self.client = platform.client
        self.client.plugins.deploy(platform.publish(write_cheap(platform.folder, batch_size)), batch_only=True)
        self._made = 0

    def fill(self, texts: Sequence[str]) -> str:
        bucket_id: str = self.client.buckets.create(
            f"rows_{time.time_ns()}", {"properties": {"text": {"type": "text"}}}
        ).bucket_id
        for at in range(0, len(texts), 1000):
            objects = [{"blobs": [{"property": "text", "type": "text", "data": t}]} for t in texts[at : at + 1000]]
            self.client.objects.create_batch(bucket_id, objects)
        return bucket_id

    def run(self, bucket_id: str, status: str = "COMPLETED", **parameters: Any) -> tuple[float, Any]:
        """Return the seconds from trigger to the end, and the task."""
        self._made += 1
        collection = self.client.collections.create(
            collection_name=f"collection_{self._made}_{time.time_ns()}",
            source={"type": "bucket", "bucket_ids": [bucket_id]},
            feature_extractor={
                "feature_extractor_name": "cheap",
                "version": "1.0.0",
                "parameters": parameters,
                "field_passthrough": ["text"],
            },
        )
        began = time.perf_counter()
        triggered = self.client.collections.trigger(collection.collection_id)
        task = self.client.tasks.wait(triggered.task_id, timeout_s=3600)
        seconds = time.perf_counter() - began
        assert task.status == status, (task.status, task.error)
        return seconds, task
