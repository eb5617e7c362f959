"""Rows through processors, nothing read or stored: in a loop, in bare processes, in sandboxed hosts, in Ray Data."""

from __future__ import annotations

import json
import multiprocessing
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.contenders import ENVIRONMENTS, PEERS
from peers.batch_processors import CHEAP_BATCH, MINILM_BATCH, make

from mixpeek.execution.blocking import BlockingExecution
from mixpeek.execution.port import HostSpec, Isolation

EXAMPLES = PEERS.parents[1] / "examples" / "plugins"
PROCESSES, FRAME_ROWS = 2, 4096
BATCH = {"cheap": CHEAP_BATCH, "minilm": MINILM_BATCH}


def text_example(folder: Path, *, floats: bool) -> Path:
    """Return the folder of the plugin that embeds, importable by every contender; int8 products unless `floats`."""
    interpreter = ENVIRONMENTS / "onnx" / "bin" / "python"
    if floats or not interpreter.exists():
        print("MiniLM: int8 weights, products of floats", flush=True)
        return EXAMPLES / "text_embedding"
    place = folder / "int8" / "text_embedding"
    shutil.copytree(EXAMPLES / "text_embedding", place, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    processors = place / "processors"
    subprocess.run([interpreter, PEERS / "quantize.py", processors / "model.onnx"], check=True, capture_output=True)
    with (processors / "encoder.py").open("a") as encoder:
        encoder.write('\n\ndef _model_bytes():\n    return Path(__file__).with_name("model.onnx").read_bytes()\n')
    print("MiniLM: int8 products", flush=True)
    return place


def loop_alone(name: str, texts: Sequence[str]) -> float:
    """Return the seconds of a plain loop in this process, processor made before."""
    import pandas as pd

    processor, size = make(name), BATCH[name]
    processor(pd.DataFrame({"data": list(texts[:size])}))
    began = time.perf_counter()
    for at in range(0, len(texts), size):
        processor(pd.DataFrame({"data": list(texts[at : at + size])}))
    return time.perf_counter() - began


def _share(name: str, texts: Sequence[str], results: Any, examples: Path) -> None:
    import pandas as pd

    sys.path.insert(0, str(examples))
    processor, size = make(name), BATCH[name]
    processor(pd.DataFrame({"data": list(texts[:1])}))
    loaded = time.time()
    for at in range(0, len(texts), size):
        processor(pd.DataFrame({"data": list(texts[at : at + size])}))
    results.put((loaded, time.time()))


def bare_processes(name: str, texts: Sequence[str], examples: Path) -> float:
    """Return the seconds that bare processes take once their models are loaded."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    members = [
        context.Process(target=_share, args=(name, texts[n::PROCESSES], results, examples)) for n in range(PROCESSES)
    ]
    for member in members:
        member.start()
    times = [results.get() for _ in members]
    for member in members:
        member.join()
    return max(done for _, done in times) - max(loaded for loaded, _ in times)


def hosts_alone(plugin: Path, name: str, texts: Sequence[str]) -> tuple[float, float]:
    """Return the seconds that sandboxed hosts take: from cold to the last row, and steady.

    A host is steady once it has answered its first frame, which is a part of the work; what the others took is scaled
    to all rows.
    """
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

        done.append(run(todo.get_nowait()))
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
    return ended - began, (ended - steady) * len(texts) / (len(texts) - PROCESSES * frame_rows)


def ray_data(name: str, texts: Sequence[str], folder: Path, examples: Path = EXAMPLES) -> float | None:
    """Return the seconds of Ray Data from the start of its process, None where it is not installed."""
    interpreter = ENVIRONMENTS / "ray" / "bin" / "python"
    if not interpreter.exists():
        return None
    rows = folder / "rows.json"
    rows.write_text(json.dumps(list(texts)))
    line = [interpreter, PEERS / "ray_data.py", rows, BATCH[name], name, PEERS, examples]
    began = time.perf_counter()
    ended = subprocess.run(list(map(str, line)), capture_output=True, check=False, timeout=900)
    assert ended.returncode == 0, ended.stderr.decode()[-2000:]
    assert json.loads(ended.stdout.decode().splitlines()[-1])["rows"] == len(texts)
    return time.perf_counter() - began
