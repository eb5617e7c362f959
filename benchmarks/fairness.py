"""How much longer a batch of 100 rows takes while another namespace runs a million: at most twice as long as alone.

`embedded`: one server with all in its data dir. `apart`: an API process and a worker on a PostgreSQL server, as on
machines of their own. A row takes about a millisecond of a processor, as of a small model; a round runs the small batch
alone, then beside the large one, begun anew and canceled after; the median of the rounds' ratios counts.

`python fairness.py [--rounds N] [embedded] [apart]`; ends 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from cryptography.fernet import Fernet  # noqa: E402
from harness.figures import Limit, judge, median_ratio  # noqa: E402
from harness.ours import KEY, running_platform  # noqa: E402
from scripts.scaled.database import Node  # noqa: E402
from scripts.scaled.large_batches import committed, multiply  # noqa: E402
from startup import MIXPEEK, free_port, start  # noqa: E402

from mixpeek import Mixpeek  # noqa: E402
from mixpeek.db.embedded import EmbeddedPostgres  # noqa: E402

MANY, FEW, AT_MOST = 1_000_000, 100, 2.0
MANIFEST = """
metadata = {"feature_extractor_name": "words", "version": "1.0.0", "description": "Hashes"}
input_schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
output_schema = {"type": "object", "properties": {"embedding": {"type": "array"}}}
features = [{"feature_name": "embedding", "feature_type": "embedding", "embedding_dim": 2, "distance_metric": "cosine"}]
"""
PIPELINE = """
import hashlib


def vector_of(text):
    digest = text.encode()
    for _ in range(1500):
        digest = hashlib.sha256(digest).digest()
    return [float(byte) for byte in digest[:2]]


class Hashes:
    def __call__(self, batch):
        batch["embedding"] = [vector_of(text) for text in batch["data"]]
        return batch


def build_steps(extractor_request, **known):
    return {"steps": [Hashes()]}
"""


class Tenant:
    """A namespace with a bucket of texts and a collection over it."""

    def __init__(self, url: str, plugin: Path, rows: int) -> None:
        with Mixpeek(api_key=KEY, base_url=url) as admin:
            namespace = admin.namespaces.create(namespace_name=f"fair_{rows}").namespace_id
        self.client = Mixpeek(api_key=KEY, base_url=url, namespace=namespace)
        self.client.plugins.upload(plugin, version="1.0.0")
        schema = {"properties": {"content": {"type": "text", "required": True}}}
        self.bucket_id = self.client.buckets.create(bucket_name="texts", bucket_schema=schema).bucket_id
        objects = [{"blobs": [{"property": "content", "type": "text", "data": f"text {n}"}]} for n in range(rows)]
        self.client.objects.create_batch(self.bucket_id, objects)
        self.collection_id = self.client.collections.create(
            collection_name="words",
            source={"type": "bucket", "bucket_ids": [self.bucket_id]},
            feature_extractor={
                "feature_extractor_name": "words",
                "version": "1.0.0",
                "input_mappings": {"text": "content"},
            },
        ).collection_id

    def seconds(self) -> float:
        """Run a batch over all rows, and return how long it took from the request to its end."""
        began = time.perf_counter()
        task = self.client.tasks.wait(self.client.collections.trigger(self.collection_id).task_id, timeout_s=300)
        if task.status != "COMPLETED":
            raise RuntimeError(f"the small batch is {task.status}: {task}")
        return time.perf_counter() - began


@contextlib.contextmanager
def embedded(_: Path) -> Iterator[tuple[str, str]]:
    """Yield the URL of a server and of its database."""
    with running_platform() as platform:
        yield f"http://127.0.0.1:{platform.port}", EmbeddedPostgres(platform.folder / "data").url


@contextlib.contextmanager
def apart(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the URL of an API process, which has a worker beside it, and of their database."""
    node = Node(folder / "node", free_port())
    node.start()
    url = f"postgresql://mixpeek@127.0.0.1:{node.port}/postgres"
    objects = folder / "objects"
    objects.mkdir()
    shared = {
        "MIXPEEK_DATABASE_URL": url,
        "MIXPEEK_OBJECTS_URL": objects.as_uri(),
        "MIXPEEK_SIGNING_KEY": secrets.token_hex(32),
        "MIXPEEK_SECRETS_KEY": Fernet.generate_key().decode(),
    }
    running, port = list[subprocess.Popen[bytes]](), free_port()
    try:
        running.append(start(folder / "api", port, folder / "api.log", MIXPEEK_ROLE="api", **shared)[0])
        with (folder / "worker.log").open("ab") as output:
            line = [MIXPEEK, "serve", "--data-dir", folder / "worker"]
            environ = {**os.environ, **shared, "MIXPEEK_ROLE": "worker"}
            running.append(subprocess.Popen(line, stdout=output, stderr=output, env=environ))
        yield f"http://127.0.0.1:{port}", url
    finally:
        for process in running:
            process.terminate()
            process.wait(60)
        node.stop()


def measure(url: str, database_url: str, plugin: Path, rounds: int) -> tuple[list[float], list[float], int]:
    """Return the seconds of the small batch alone and beside the large one, and the latter's chunks meanwhile."""
    large, small = Tenant(url, plugin, 1), Tenant(url, plugin, FEW)
    small.seconds()  # the first one unpacks the plugin
    alone, beside, meanwhile = list[float](), list[float](), 0
    multiply(database_url, large.bucket_id, MANY)
    for _ in range(rounds):
        alone.append(small.seconds())
        started = large.client.collections.trigger(large.collection_id)
        while not (before := committed(database_url, started.batch_id)):
            time.sleep(0.05)
        beside.append(small.seconds())
        meanwhile += committed(database_url, started.batch_id) - before
        large.client.batches.cancel(large.bucket_id, started.batch_id)
        large.client.tasks.wait(started.task_id, timeout_s=60)
    return alone, beside, meanwhile


def main() -> int:
    """Measure what is asked for, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    kinds = {"embedded": embedded, "apart": apart}
    parser.add_argument("kinds", nargs="*", metavar="|".join(kinds), default=list(kinds))
    chosen, limits = parser.parse_args(), []
    for kind in chosen.kinds:
        with tempfile.TemporaryDirectory() as name, kinds[kind](Path(name)) as (url, database_url):
            plugin = Path(name) / "words"
            plugin.mkdir()
            (plugin / "manifest.py").write_text(MANIFEST)
            (plugin / "pipeline.py").write_text(PIPELINE)
            alone, beside, meanwhile = measure(url, database_url, plugin, chosen.rounds)
        print(
            f"{kind}: {FEW} rows alone {statistics.median(alone):.2f} s, beside {MANY:,} rows of another namespace"
            f" {statistics.median(beside):.2f} s; that one committed {meanwhile} chunks meanwhile",
            flush=True,
        )
        limits += [
            Limit(f"{kind}: beside a million rows ÷ alone", median_ratio(beside, alone), "≤", AT_MOST),
            Limit(f"{kind}: chunks that the large one committed meanwhile", meanwhile, "≥", 1),
        ]
    return 0 if judge(limits) else 1


if __name__ == "__main__":
    sys.exit(main())
