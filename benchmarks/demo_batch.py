"""The demo's batch against the same processor in plain processes: what the platform takes of what the machine gives.

Batch: from `trigger` to COMPLETED on a real server: objects read, hosts sandboxed, output checked, documents stored.
Loop: as many processes as the batch has hosts, each calling the processor on its share in slices of the author's batch
size, from the start of the processes (cold) or from the moment the model is loaded (warm). Limit: 0.85 of the loop.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples" / "demo"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples" / "plugins"))

from harvest import harvest
from startup import free_port, start

from mixpeek import Mixpeek

ROWS, ROUNDS, LIMIT = 2000, 3, 0.85
HOSTS = os.cpu_count() or 1
AUTHOR_BATCH = 64
PLUGIN = Path(__file__).resolve().parents[1] / "examples" / "plugins" / "text_embedding"


def loop_share(texts: Sequence[str], results: Any) -> None:
    """Embed one process's share and report when the model was loaded and when the work was done."""
    import pandas as pd
    from text_embedding.processors.core import TextEmbeddingConfig, TextEmbeddingProcessor

    processor = TextEmbeddingProcessor(TextEmbeddingConfig(threads=1))
    processor(pd.DataFrame({"text": list(texts[:1])}))
    loaded = time.time()
    for at in range(0, len(texts), AUTHOR_BATCH):
        processor(pd.DataFrame({"text": list(texts[at : at + AUTHOR_BATCH])}))
    results.put((loaded, time.time()))


def run_loop(texts: Sequence[str]) -> tuple[float, float]:
    """Return rows/s of the plain loop, cold and warm."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    began = time.time()
    processes = [context.Process(target=loop_share, args=(texts[n::HOSTS], results)) for n in range(HOSTS)]
    for process in processes:
        process.start()
    times = [results.get() for _ in processes]
    for process in processes:
        process.join()
    ended = max(done for _, done in times)
    return len(texts) / (ended - began), len(texts) / (ended - max(loaded for loaded, _ in times))


def run_batch(client: Mixpeek, bucket_id: str, name: str, rows: int) -> float:
    """Return rows/s of one batch over the bucket, from trigger to COMPLETED."""
    collection = client.collections.create(
        collection_name=name,
        source={"type": "bucket", "bucket_ids": [bucket_id]},
        feature_extractor={"feature_extractor_name": "text_embedding", "version": "1.0.0"},
    )
    began = time.time()
    task = client.tasks.wait(client.collections.trigger(collection.collection_id).task_id, poll_s=0.1)
    seconds = time.time() - began
    assert task.status == "COMPLETED", task.error
    assert task.outputs[0]["written"] == rows, task.outputs
    return rows / seconds


def main() -> None:
    texts = [entry.text for entry in harvest(ROWS)]
    batch, cold, warm = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        process, _ = start(Path(folder) / "data", port)
        try:
            with Mixpeek(api_key="sk_bench", base_url=url) as admin:
                namespace = admin.namespaces.create("bench").namespace_id
            with Mixpeek(api_key="sk_bench", base_url=url, namespace=namespace) as client:
                uploaded = client.plugins.upload(PLUGIN)
                client.plugins.deploy(uploaded.plugin_id, batch_only=True)
                bucket = client.buckets.create("texts", {"properties": {"text": {"type": "text"}}})
                for at in range(0, len(texts), 1000):
                    objects = [
                        {"blobs": [{"property": "text", "type": "text", "data": text}]}
                        for text in texts[at : at + 1000]
                    ]
                    client.objects.create_batch(bucket.bucket_id, objects)
                for number in range(ROUNDS):
                    loops = run_loop(texts)
                    cold.append(loops[0])
                    warm.append(loops[1])
                    batch.append(run_batch(client, bucket.bucket_id, f"round_{number}", len(texts)))
        finally:
            process.terminate()
            process.wait(30)
    print(
        f"{len(texts)} docstrings, {HOSTS} processes of one thread each, medians of {ROUNDS} interleaved rounds, rows/s"
    )
    rate = statistics.median(batch)
    print(f"{'batch, trigger to COMPLETED':32}{rate:8.1f}   {min(batch):.1f}..{max(batch):.1f}")
    for name, values in (("plain loop, cold", cold), ("plain loop, warm", warm)):
        ratios = [ours / theirs for ours, theirs in zip(batch, values, strict=True)]
        median = statistics.median(values)
        print(
            f"{name:32}{median:8.1f}   {min(values):.1f}..{max(values):.1f}"
            f"   batch/loop {statistics.median(ratios):.2f} (limit {LIMIT})"
        )


if __name__ == "__main__":
    main()
