"""Batches beside a plain loop, bare processes, Ray Data and bare upserts: ratios, medians of interleaved rounds.

    batch.py                     execution alone, and end to end
    batch.py --faults            what one bad row in 10,000 costs, by kind
    batch.py --long              memory and cost per row from 10,000 to 1,000,000 rows

Execution alone: sandboxed hosts, two processes, frames in and checked frames out; nothing is read or stored.
End to end: from `trigger` to COMPLETED, objects already stored, documents searchable, outcomes and commits recorded.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PEERS, EXAMPLES = HERE / "peers", HERE.parent / "examples" / "plugins"
sys.path[:0] = [str(HERE), str(PEERS), str(EXAMPLES)]

from batch_processors import CHEAP_BATCH, CHEAP_DIMENSION, MINILM_BATCH, make  # noqa: E402
from harness.contenders import ENVIRONMENTS  # noqa: E402
from harness.figures import Limit, judge, median_ratio  # noqa: E402
from harness.ours import Platform, running_platform, tree_of  # noqa: E402
from harness.processes import pss_mb  # noqa: E402

from mixpeek.execution.blocking import BlockingExecution  # noqa: E402
from mixpeek.execution.port import HostSpec, Isolation  # noqa: E402, Isolation

PROCESSES, FRAME_ROWS = 2, 4096
BATCH = {"cheap": CHEAP_BATCH, "minilm": MINILM_BATCH}
Seconds = dict[str, list[float]]

CHEAP_PLUGIN = {
    "manifest.py": f"""
metadata = {{"feature_extractor_name": "cheap", "version": "1.0.0", "description": "Lengths", "category": "text"}}
input_schema = output_schema = {{"type": "object"}}
supported_input_types = ["text"]
compute_profile = {{"batch_size": BATCH_SIZE}}
features = [{{"feature_name": "cheap_vector", "feature_type": "embedding", "embedding_dim": {CHEAP_DIMENSION},
    "distance_metric": "cosine"}}]
""",
    "pipeline.py": '''
import time

from .batch_processors import Cheap


class Moody(Cheap):
    """Cheap, but for rows that say what they do."""

    def __call__(self, batch):
        texts = batch["data"]
        if texts.str.startswith("bad ").any():
            kinds = texts.tolist()
            if "bad raise" in kinds:
                raise ValueError("not this row")
            if "bad hang" in kinds:
                time.sleep(3600)
            if "bad none" in kinds:
                return None
            if "bad drop" in kinds:
                return super().__call__(batch[texts != "bad drop"])
            batch = super().__call__(batch)
            vectors = list(batch["cheap_vector"])
            for place, kind in enumerate(kinds):
                if kind == "bad nan":
                    vectors[place] = vectors[place] * float("nan")
                if kind == "bad dimension":
                    vectors[place] = vectors[place][:3]
            batch["cheap_vector"] = vectors
            notes = {"bad nul": "\\x00", "bad large": "x" * 50_000_000}
            batch["note"] = [notes.get(kind, kind) for kind in kinds]
            return batch
        time.sleep(PAUSE_S * len(batch))
        return super().__call__(batch)


PAUSE_S = 0.0


def build_steps(extractor_request, **kwargs):
    global PAUSE_S
    PAUSE_S = float((extractor_request.parameters or {}).get("pause_s", 0.0))
    return {"steps": [Moody()]}
''',
}
FAULTS = ("raise", "hang", "none", "drop", "nan", "dimension", "nul", "large")


def write_cheap(folder: Path, batch_size: int = CHEAP_BATCH) -> Path:
    place = folder / "cheap"
    place.mkdir(parents=True)
    for name, text in CHEAP_PLUGIN.items():
        (place / name).write_text(text.replace("BATCH_SIZE", str(batch_size)))
    (place / "batch_processors.py").write_text((PEERS / "batch_processors.py").read_text())
    return place


def texts_of(rows: int) -> list[str]:
    return [f"row {place} of a batch of short texts, {place * 7919 % 1000} of them alike" for place in range(rows)]


# execution alone -------------------------------------------------------------------------------------------------
def loop_alone(name: str, texts: Sequence[str]) -> float:
    """Return the seconds of a plain loop in this process, processor made before."""
    import pandas as pd

    processor, size = make(name), BATCH[name]
    processor(pd.DataFrame({"data": list(texts[:size])}))
    began = time.perf_counter()
    for at in range(0, len(texts), size):
        processor(pd.DataFrame({"data": list(texts[at : at + size])}))
    return time.perf_counter() - began


def _share(name: str, texts: Sequence[str], results: Any) -> None:
    import pandas as pd

    processor, size = make(name), BATCH[name]
    processor(pd.DataFrame({"data": list(texts[:1])}))
    loaded = time.time()
    for at in range(0, len(texts), size):
        processor(pd.DataFrame({"data": list(texts[at : at + size])}))
    results.put((loaded, time.time()))


def bare_processes(name: str, texts: Sequence[str]) -> float:
    """Return the seconds that bare processes take once their models are loaded."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    members = [context.Process(target=_share, args=(name, texts[n::PROCESSES], results)) for n in range(PROCESSES)]
    for member in members:
        member.start()
    times = [results.get() for _ in members]
    for member in members:
        member.join()
    return max(done for _, done in times) - max(loaded for loaded, _ in times)


def hosts_alone(plugin: Path, name: str, texts: Sequence[str]) -> tuple[float, float]:
    """Return the seconds that sandboxed hosts take, from cold and steady."""
    import pyarrow as pa

    frame_rows = min(FRAME_ROWS, max(BATCH[name], len(texts) // (8 * PROCESSES)))
    began = time.perf_counter()
    ready = threading.Barrier(PROCESSES + 1)
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    for at in range(0, len(texts), frame_rows):
        todo.put(at)
    done: list[int] = []

    def work(execution: BlockingExecution) -> None:
        host, _ = execution.start_built(HostSpec(plugin, plugin.name))

        def run(at: int) -> int:
            part = texts[at : at + frame_rows]
            table = pa.table({"document_id": [str(at + n) for n in range(len(part))], "data": part, "text": part})
            return host.run_isolated(table, Isolation(BATCH[name], call_s=60), timeout_s=600).table.num_rows

        run(0)
        ready.wait()
        while True:
            try:
                done.append(run(todo.get_nowait()))
            except queue.Empty:
                break
        host.close()

    with BlockingExecution() as execution:
        members = [threading.Thread(target=work, args=(execution,)) for _ in range(PROCESSES)]
        for member in members:
            member.start()
        ready.wait()
        steady = time.perf_counter()
        for member in members:
            member.join()
        ended = time.perf_counter()
    assert sum(done) == len(texts)
    return ended - began, ended - steady


def ray_data(name: str, texts: Sequence[str], folder: Path) -> float | None:
    """Return the seconds of Ray Data from the start of its process, None where it is not installed."""
    interpreter = ENVIRONMENTS / "ray" / "bin" / "python"
    if not interpreter.exists():
        return None
    rows = folder / "rows.json"
    rows.write_text(json.dumps(list(texts)))
    line = [interpreter, PEERS / "ray_data.py", rows, BATCH[name], name, PEERS, EXAMPLES]
    began = time.perf_counter()
    ended = subprocess.run(list(map(str, line)), capture_output=True, check=False, timeout=900)
    assert ended.returncode == 0, ended.stderr.decode()[-2000:]
    assert json.loads(ended.stdout.decode().splitlines()[-1])["rows"] == len(texts)
    return time.perf_counter() - began


# end to end ------------------------------------------------------------------------------------------------------
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


def bare_upserts(database: Any, texts: Sequence[str], number: int) -> float:
    """Return the seconds that upserts of the same documents take, in chunks of as many and nothing else around."""
    from mixpeek.documents.port import Index
    from mixpeek.documents.postgres import PostgresDocuments

    index, store = Index("col_bare", number + 1), PostgresDocuments()
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO collection_generations (collection_id, generation, plugin_namespace, plugin_id, code_hash,"
            " features) VALUES ('col_bare', %s, 'ns', 'p', 'h', '[]')",
            [number + 1],
        )
    documents = documents_of(texts)
    began = time.perf_counter()
    for at in range(0, len(documents), 1024):
        with database.transaction() as connection:
            store.upsert(connection, index, documents[at : at + 1024])
    return time.perf_counter() - began


def documents_of(texts: Sequence[str]) -> list[Any]:
    """Return the documents that a batch makes of objects with these texts."""
    import numpy as np

    from mixpeek.batches.rows import Recipe, rows_from_object
    from mixpeek.catalog.models import ObjectContents
    from mixpeek.documents.port import NewDocument

    passed = [{"source_path": "text"}]
    recipe = Recipe("col_bare", "cheap_1_0_0", "ns", (), passed, False, {}, "2026-01-01T00:00:00+00:00")
    documents = []
    for place, text in enumerate(texts):
        details = {"size_bytes": len(text), "hash": f"{place:064x}", "mime_type": "text/plain"}
        blob = {"blob_id": f"blob_{place:016x}", "property": "text", "type": "text", "data": text, "details": details}
        (row,) = rows_from_object(ObjectContents(f"obj_{place:016x}", f"bkt_{0:016x}", [blob], {}), recipe)
        documents.append(
            NewDocument(
                row.document_id,
                "btch",
                row.object_id,
                row.passthrough,
                row.internal,
                {"cheap_vector": np.full(CHEAP_DIMENSION, len(text), np.float32)},
            )
        )
    return documents


def bare_database(folder: Path) -> tuple[Any, Callable[[], None]]:
    """Return a database with one collection, and what ends it."""
    from mixpeek.db.embedded import EmbeddedPostgres
    from mixpeek.db.pool import Database
    from mixpeek.db.schema import migrate

    embedded = EmbeddedPostgres(folder)
    embedded.start()
    migrate(embedded.url)
    database = Database(embedded.url)
    database.open()
    with database.transaction() as connection:
        connection.execute("INSERT INTO organizations (organization_id, name) VALUES ('org', 'o')")
        connection.execute(
            "INSERT INTO namespaces (namespace_id, organization_id, namespace_name) VALUES ('ns', 'org', 'n')"
        )
        connection.execute(
            "INSERT INTO collections (collection_id, namespace_id, collection_name, source, feature_extractor,"
            " output_schema) VALUES ('col_bare', 'ns', 'c', '{}', '{}', '{}')"
        )

    def end() -> None:
        database.close()
        embedded.stop()

    return database, end


# the three programs ----------------------------------------------------------------------------------------------
def measure(rounds: int, cheap_rows: int, minilm_rows: int, stored_rows: int, peers: Sequence[str]) -> bool:
    met: Seconds = defaultdict(list)
    cheap, minilm, stored = texts_of(cheap_rows), texts_of(minilm_rows), texts_of(stored_rows)
    with tempfile.TemporaryDirectory() as name, running_platform() as platform:
        folder = Path(name)
        end_to_end = EndToEnd(platform)
        bucket_id = end_to_end.fill(stored)
        (folder / "database").mkdir()
        database, end_database = bare_database(folder / "database")
        plugin = write_cheap(folder / "plugins")
        for number in range(rounds):
            if cheap_rows:
                met["cheap loop"].append(loop_alone("cheap", cheap))
                cold, steady = hosts_alone(plugin, "cheap", cheap)
                met["cheap hosts, cold"].append(cold)
                met["cheap hosts"].append(steady)
                if "ray" in peers and (seconds := ray_data("cheap", cheap, folder)) is not None:
                    met["cheap ray data, cold"].append(seconds)
            if minilm_rows:
                met["minilm processes"].append(bare_processes("minilm", minilm))
                cold, steady = hosts_alone(EXAMPLES / "text_embedding", "minilm", minilm)
                met["minilm hosts, cold"].append(cold)
                met["minilm hosts"].append(steady)
                if "ray" in peers and (seconds := ray_data("minilm", minilm, folder)) is not None:
                    met["minilm ray data, cold"].append(seconds)
            if stored_rows:
                met["stored upserts"].append(bare_upserts(database, stored, number))
                met["stored hosts, cold"].append(hosts_alone(plugin, "cheap", stored)[0])
                met["stored end to end"].append(end_to_end.run(bucket_id)[0])
            print(f"round {number + 1} of {rounds} done", file=sys.stderr, flush=True)
        end_database()
    sizes = {"cheap": cheap_rows, "minilm": minilm_rows, "stored": stored_rows}
    print(f"\nseconds and rows/s, medians of {rounds} interleaved rounds")
    for what, seconds in met.items():
        median, rows = statistics.median(seconds), sizes[what.split(" ", 1)[0]]
        print(f"{what:26}{rows:>9,} rows{median:9.2f} s{rows / median:12,.0f} rows/s")
    return judge(limits_of(met))


def limits_of(met: Seconds) -> list[Limit]:
    """Return what must hold of these figures, of those that were measured."""
    found = []

    def hold(what: str, theirs: str, ours: str, limit: float) -> None:
        if met[theirs] and met[ours]:
            found.append(Limit(what, median_ratio(met[theirs], met[ours]), "≥", limit))

    hold("execution alone ÷ plain loop, cheap", "cheap loop", "cheap hosts", 0.7)
    hold("execution alone ÷ Ray Data from cold, cheap", "cheap ray data, cold", "cheap hosts, cold", 8.0)
    hold("execution alone ÷ two bare processes, MiniLM, steady", "minilm processes", "minilm hosts", 0.9)
    hold("execution alone ÷ Ray Data from cold, MiniLM", "minilm ray data, cold", "minilm hosts, cold", 2.0)
    if met["stored end to end"]:
        slower = [
            max(upserts, hosts) for upserts, hosts in zip(met["stored upserts"], met["stored hosts, cold"], strict=True)
        ]
        ratio = median_ratio(slower, met["stored end to end"])
        found.append(Limit("end to end ÷ the slower of execution alone and upserts", ratio, "≥", 0.5))
    return found


def measure_faults(rounds: int, rows: int, pause_s: float, kinds: Sequence[str]) -> bool:
    """Hold one bad row of each kind against none, in a batch whose rows take `pause_s` each, 64 of them a call.

    It is the middle one: for a row that hangs at its end, a batch waits for as long as a call may take.
    """
    met: Seconds = defaultdict(list)
    with running_platform() as platform:
        end_to_end = EndToEnd(platform, MINILM_BATCH)
        buckets = {}
        for kind in ("", *kinds):
            texts = texts_of(rows)
            if kind:
                texts[rows // 2] = f"bad {kind}"
            buckets[kind] = end_to_end.fill(texts)
        for _ in range(rounds):
            for kind, bucket_id in buckets.items():
                status = "COMPLETED_WITH_ERRORS" if kind else "COMPLETED"
                seconds, task = end_to_end.run(bucket_id, status, pause_s=pause_s)
                assert task.outputs[0]["written"] == rows - bool(kind), task.outputs
                met[kind].append(seconds)
    print(f"\none bad row in {rows:,}, {pause_s:g} s a row, medians of {rounds} interleaved rounds")
    print(f"{'none':12}{statistics.median(met['']):9.2f} s")
    found = []
    for kind in kinds:
        print(f"{kind:12}{statistics.median(met[kind]):9.2f} s")
        found.append(Limit(f"time with one bad row ({kind}) ÷ without", median_ratio(met[kind], met[""]), "≤", 1.05))
    return judge(found)


def measure_long(sizes: Sequence[int]) -> bool:
    """Run ever larger batches into one server and report memory and cost per row."""
    found: list[Limit] = []
    per_row: dict[int, float] = {}
    with running_platform() as platform:
        end_to_end = EndToEnd(platform)
        for rows in sizes:
            bucket_id = end_to_end.fill(texts_of(rows))
            highest, is_over = [(0.0, 0.0)], threading.Event()

            def look(highest: list[tuple[float, float]] = highest, is_over: threading.Event = is_over) -> None:
                while not is_over.wait(0.5):
                    tree = tree_of(platform)
                    highest[0] = max(highest[0], (pss_mb(tree), pss_mb(tree, "Pss_Shmem")))

            looking = threading.Thread(target=look)
            looking.start()
            seconds, _ = end_to_end.run(bucket_id)
            is_over.set()
            looking.join()
            per_row[rows] = seconds / rows
            tree_mb, buffers_mb = highest[0]
            print(
                f"{rows:>10,} rows {seconds:9.1f} s {rows / seconds:10,.0f} rows/s"
                f" {tree_mb:8.0f} MB, {buffers_mb:.0f} MB of them the database's shared buffers",
                flush=True,
            )
            found.append(Limit(f"memory of the whole tree, {rows:,} rows, MB", tree_mb, "≤", 600))
    ratio = per_row[sizes[-1]] / per_row[sizes[0]]
    return judge([*found, Limit("cost per row, the largest batch ÷ the smallest", ratio, "≤", 1.2)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cheap-rows", type=int, default=200_000)
    parser.add_argument("--minilm-rows", type=int, default=5_000)
    parser.add_argument("--stored-rows", type=int, default=50_000)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--pause-s", type=float, default=0.01, help="what each row takes, with --faults")
    parser.add_argument("--kinds", nargs="+", choices=FAULTS, default=FAULTS, help="with --faults")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="with --long")
    given = parser.parse_args()
    if given.faults:
        holds = measure_faults(given.rounds, 10_000, given.pause_s, given.kinds)
    elif given.long:
        holds = measure_long(given.sizes)
    else:
        peers = () if given.no_peers else ("ray",)
        holds = measure(given.rounds, given.cheap_rows, given.minilm_rows, given.stored_rows, peers)
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
