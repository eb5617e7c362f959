"""Constant searches through a full upgrade of their collection and a rollback: every failed or mixed answer counts.

50 requests a second of an open loop (`harness/open_loop.py`) execute a retriever over 2,000 documents while these are
built anew by a version whose vectors have another length, while objects are added, at the switch, at the rollback and
at a second switch. Limits: no request fails, no answer holds documents of both versions, and answers come from the
version that is searched within a second of each change. How long answers take is printed for each phase.

`python upgrade.py [--rate N] [--documents N] [--pause S]`; ends 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from harness import processes
from harness.figures import Limit, judge, percentile
from harness.ours import Platform, running_platform
from harness.target import Target
from harness.timeline import Outcome, read_outcomes
from soak import asking

NAME = "upgraded"
CHANGES_WITHIN_S = 1.0
ADDED = 20

_EMBEDDING = """import hashlib


def embed(text, dimension):
    vector = [0.0] * dimension
    for word in str(text).lower().split():
        digest = hashlib.sha256(word.encode()).digest()
        vector[int.from_bytes(digest[:4], "big") % dimension] += 1.0 if digest[4] % 2 else -1.0
    length = sum(number * number for number in vector) ** 0.5 or 1.0
    return [number / length for number in vector] if any(vector) else [1.0] + vector[1:]
"""


def write_version(folder: Path, version: str, dimension: int) -> Path:
    """Write a version of a plugin that counts hashed words, with vectors of this length."""
    place = folder / f"{NAME}_{version}" / NAME
    (place / "processors").mkdir(parents=True)
    feature = {"feature_name": "words", "feature_type": "embedding", "embedding_dim": dimension}
    files = {
        "embedding.py": _EMBEDDING,
        "manifest.py": f'metadata = {{"feature_extractor_name": "{NAME}", "version": "{version}", '
        '"description": "Counts words"}\n'
        'input_schema = {"type": "object", "properties": {"text": {"type": "string"}}}\n'
        f'output_schema = {{}}\nsupported_input_types = ["text"]\nfeatures = [{feature}]\n',
        "processors/core.py": "from ..embedding import embed\n\n\nclass Processor:\n"
        "    def __init__(self, config, progress_actor=None):\n        pass\n\n"
        "    def __call__(self, batch):\n"
        f"        batch['words'] = [embed(text, {dimension}) for text in batch['data']]\n        return batch\n",
        "pipeline.py": "from engine.plugins.extractors.pipeline import PipelineDefinition, StepDefinition, "
        "build_pipeline_steps\n\nfrom .processors.core import Processor\n\n\n"
        "def build_steps(extractor_request, **known):\n"
        "    steps = [StepDefinition(service_class=Processor, config={})]\n"
        f'    pipeline = PipelineDefinition("{NAME}", "{version}", steps)\n'
        '    return {"steps": build_pipeline_steps(pipeline)}\n',
        "realtime.py": "from .embedding import embed\n\n\nclass RealtimeHandler:\n"
        f'    def predict(self, request):\n        return {{"words": embed(request["text"], {dimension})}}\n',
    }
    for path, text in files.items():
        (place / path).write_text(text)
    return place


class Upgrading:
    """A collection that is searched, and when each thing done to it was over."""

    def __init__(self, platform: Platform, documents: int) -> None:
        self.client = platform.client
        self.moments: dict[str, float] = {}
        for version, dimension in (("1.0.0", 64), ("2.0.0", 128)):
            platform.publish(write_version(platform.folder, version, dimension), version)
        platform.deploy(f"{NAME}_1_0_0")
        schema = {"properties": {"content": {"type": "text", "required": True}}}
        self.bucket_id = self.client.buckets.create("upgraded", schema).bucket_id
        self.add([f"note {n} about topic {n % 97} and {n % 13}" for n in range(documents)])
        self.collection = self.client.collections.create(
            "upgraded",
            {"type": "bucket", "bucket_ids": [self.bucket_id]},
            {"feature_extractor_name": NAME, "version": "1.0.0", "input_mappings": {"text": "content"}},
        )
        self._wait(self.client.collections.trigger(self.collection.collection_id).task_id)

    def add(self, texts: list[str]) -> list[str]:
        blobs = [{"blobs": [{"property": "content", "type": "text", "data": text}]} for text in texts]
        made: list[str] = []
        for start in range(0, len(blobs), 1000):
            succeeded = self.client.objects.create_batch(self.bucket_id, blobs[start : start + 1000])["succeeded"]
            made += [one["object_id"] for one in succeeded]
        return made

    def target(self, platform: Platform) -> Target:
        search = {
            "feature_uri": self.collection.vector_indexes[0]["feature_uri"],
            "query": {"input_mode": "text", "value": "{{INPUT.query}}"},
            "top_k": 10,
        }
        stage = {"stage_id": "feature_search", "parameters": {"searches": [search]}}
        retriever = self.client.retrievers.create(
            "upgraded",
            collection_identifiers=[self.collection.collection_id],
            input_schema={"query": {"type": "text", "required": True}},
            stages=[{"stage_name": "search", "stage_type": "filter", "config": stage}],
        )
        body = json.dumps({"inputs": {"query": "note about topic 7"}}).encode()
        path = f"/v1/retrievers/{retriever.retriever_id}/execute"
        return Target(platform.port, path, body, platform.headers, platform.process.pid)

    def run(self, pause_s: float) -> None:
        """Upgrade, write meanwhile, switch, write, roll back, switch again, and drop the former generation."""
        identifier = self.collection.collection_id
        time.sleep(pause_s)
        began = self._note("build begins")
        started = self.client.collections.upgrade(identifier, "2.0.0", start=True)
        self._write("while building")
        self._wait(started.upgrade["task_id"])
        print(f"      built in {self._note('built') - began:.1f} s beside the searches")
        report = self.client.collections.compare(identifier, sample=20)
        print(f"      compared by {report.queries['count']} queries in {report.took_ms:.0f} ms", flush=True)
        for verb in ("switch", "rollback", "switch"):
            time.sleep(pause_s)
            asked = time.monotonic()
            getattr(self.client.collections, verb)(identifier)
            print(f"      {verb} in {(self._note(f'{verb} {len(self.moments)}') - asked) * 1000:.0f} ms", flush=True)
            self._write(f"after the {verb}")
        self.client.collections.drop_generation(identifier)
        self._note("dropped")
        time.sleep(pause_s)

    def _write(self, when: str) -> None:
        ids = self.add([f"note {n} added {when}" for n in range(ADDED)])
        batch = self.client.batches.create(self.bucket_id, ids)
        self._wait(self.client.batches.submit(self.bucket_id, batch.batch_id).task_id)

    def _wait(self, task_id: str) -> None:
        task = self.client.tasks.wait(task_id, timeout_s=120, poll_s=0.1)
        if task.status != "COMPLETED":
            raise RuntimeError(f"{task.task_type} is {task.status}: {task.error}")

    def _note(self, what: str) -> float:
        self.moments[what] = time.monotonic()
        return self.moments[what]


def late(moments: dict[str, float], outcomes: list[Outcome]) -> float:
    """Return how long after a change the last answer to a request sent since then still came from the other version."""
    worst = 0.0
    turns = [(at, what) for what, at in moments.items() if what.startswith(("switch", "rollback"))]
    for place, (at, what) in enumerate(turns):
        until = turns[place + 1][0] if place + 1 < len(turns) else float("inf")
        wrong = f"{NAME}_1_0_0" if what.startswith("switch") else f"{NAME}_2_0_0"
        since = [o.due - at for o in outcomes if at <= o.due and o.answered_at < until and o.version == wrong]
        worst = max(worst, max(since, default=0.0))
    return worst


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--rate", type=float, default=50)
    arguments.add_argument("--documents", type=int, default=2000)
    arguments.add_argument("--pause", type=float, default=3.0)
    given = arguments.parse_args()
    processes.end_in_order_when_told()
    with running_platform() as platform:
        upgrading = Upgrading(platform, given.documents)
        target = upgrading.target(platform)
        record = platform.folder / "outcomes.jsonl"
        with asking(target, given.rate, record):
            upgrading.run(given.pause)
        outcomes = read_outcomes(record)
    failed = [outcome for outcome in outcomes if not outcome.is_good]
    versions = {outcome.version for outcome in outcomes if outcome.is_good}
    mixed = [o for o in outcomes if o.is_good and o.version not in (f"{NAME}_1_0_0", f"{NAME}_2_0_0")]
    marks = [(float("-inf"), "before"), *((at, what) for what, at in upgrading.moments.items())]
    for place, (at, what) in enumerate(marks):
        until = marks[place + 1][0] if place + 1 < len(marks) else float("inf")
        taken = [o.seconds * 1000 for o in outcomes if at <= o.due < until and o.is_good]
        if taken:
            p50, p99 = (percentile(taken, share) for share in (0.5, 0.99))
            print(f"      {what:14} {len(taken):5} answers, p50 {p50:6.1f} ms, p99 {p99:6.1f} ms")
    for outcome in failed[:5]:
        print(f"      failed: {outcome.status} {outcome.error}")
    holds = judge(
        [
            Limit("searches through an upgrade and a rollback", len(outcomes), "≥", given.rate * given.pause * 4),
            Limit("failed", len(failed), "≤", 0),
            Limit("answers with documents of both versions", len(mixed), "≤", 0, ", ".join(sorted(versions))),
            Limit("seconds after a change with an answer of the other version", late(upgrading.moments, outcomes), "≤",
                  CHANGES_WITHIN_S),
        ]
    )  # fmt: skip
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
