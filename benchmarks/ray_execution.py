"""Plugins on a Ray cluster beside child processes, and beside Ray Serve: ratios, medians of interleaved rounds.

Chunks: frames through sandboxed hosts, two of each, started before; `near` are hosts in actors on this machine, reached
through their socket file, `far` the same hosts reached as on another machine, through their port and the keeper.
Nothing is read or stored; a round asks each in turn, beginning with another one.
End to end: from `trigger` to COMPLETED on a whole server, local and `ray:local`. Of few rows it is the start of Ray's
processes that is measured: 20,000 came to 0.67 where 100,000 came to 1.04.
Realtime: the whole platform with `trivial` in one replica, `ray:local`, against Ray Serve's HTTP path; each is kept
stopped (SIGSTOP) while it is not asked, as in `realtime.py`.
Ray Data, with `--ray-data`: the same rows through `map_batches` over two actors, from cold, on a cluster of its own.

`python ray_execution.py [--rounds N] [--rows N] [--stored-rows N] [--seconds S] [--ray-data] [chunks] [stored]
[realtime]`; ends 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.util
import os
import queue
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

if importlib.util.find_spec("ray") is None:
    print("left out: Ray is not installed (pip install '.[ray]')")
    sys.exit(0)

import ray
from harness import processes
from harness.cheap import texts_of, write_cheap
from harness.contenders import peers
from harness.end_to_end import EndToEnd
from harness.execution_alone import BATCH, PROCESSES, ray_data
from harness.figures import Limit, judge, median_ratio
from harness.ours import running_platform, serve_ours
from harness.target import Target
from realtime import asleep, turned

from mixpeek.execution.blocking import BlockingExecution, BlockingHost
from mixpeek.execution.local import LocalExecution
from mixpeek.execution.port import HostSpec, Isolation
from mixpeek.execution.ray import execution as ray_execution
from mixpeek.execution.ray import own
from mixpeek.execution.ray.cluster import Cluster
from mixpeek.execution.ray.execution import RayExecution
from mixpeek.execution.remote.doors import enter

OF_LOCAL, OF_RAY_SERVE = 0.8, 10.0
FRAME_ROWS = 4096
CONCURRENCIES = (1, 8, 32)
REQUEST = {"text": "hello"}


# chunks ----------------------------------------------------------------------------------------------------------
def run_frames(hosts: Sequence[BlockingHost], texts: Sequence[str]) -> float:
    """Return the seconds that hosts take for all rows, a frame at a time each."""
    import pyarrow as pa

    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    for at in range(0, len(texts), FRAME_ROWS):
        todo.put(at)
    done: list[int] = []

    def work(host: BlockingHost) -> None:
        while True:
            try:
                at = todo.get_nowait()
            except queue.Empty:
                return
            part = texts[at : at + FRAME_ROWS]
            table = pa.table({"document_id": [str(at + n) for n in range(len(part))], "data": part, "text": part})
            done.append(host.run_isolated(table, Isolation(BATCH["cheap"], call_s=60), timeout_s=600).table.num_rows)

    began = time.perf_counter()
    members = [threading.Thread(target=work, args=(host,)) for host in hosts]
    for member in members:
        member.start()
    for member in members:
        member.join()
    assert sum(done) == len(texts)
    return time.perf_counter() - began


@contextlib.contextmanager
def reached_from_afar() -> Iterator[None]:
    """Have hosts that are started meanwhile reached through their ports, as those of other machines are."""

    async def from_afar(address: Any, token: bytes) -> Any:
        return await enter(dataclasses.replace(address, path="/nowhere"), token)

    ray_execution.enter = from_afar  # type: ignore[assignment]
    try:
        yield
    finally:
        ray_execution.enter = enter


def measure_chunks(rounds: int, rows: int, *, with_ray_data: bool) -> list[Limit]:
    met: dict[str, list[float]] = defaultdict(list)
    starts: dict[str, float] = {}
    texts = texts_of(rows)
    with tempfile.TemporaryDirectory() as name:
        spec = HostSpec(write_cheap(Path(name)), "cheap")
        address = own.start()
        cluster = Cluster(lambda: address, 60)
        cluster._connected = address
        with BlockingExecution(LocalExecution()) as local, BlockingExecution(RayExecution(cluster, is_own=True)) as far:
            hosts: dict[str, list[BlockingHost]] = {}
            for kind, execution in (("local", local), ("near", far), ("far", far)):
                began = time.perf_counter()
                with reached_from_afar() if kind == "far" else contextlib.nullcontext():
                    hosts[kind] = [execution.start_built(spec)[0] for _ in range(PROCESSES)]
                starts[kind] = (time.perf_counter() - began) / PROCESSES
            for each in hosts.values():
                run_frames(each, texts[: 4 * FRAME_ROWS])
            for number in range(rounds):
                for kind in turned(list(hosts), number):
                    met[kind].append(run_frames(hosts[kind], texts))
        if with_ray_data and (seconds := ray_data("cheap", texts, Path(name))) is not None:
            met["ray data"].append(seconds)
    print(f"\nchunks: {rows:,} rows, {PROCESSES} hosts, medians of {rounds} interleaved rounds")
    print(f"{'':10}{'rows/s':>12}{'of local':>10}{'a host is up after':>20}")
    for kind, seconds_of in met.items():
        median = statistics.median(seconds_of)
        of_local = statistics.median(met["local"]) / median
        started = f"{starts[kind]:18.2f} s" if kind in starts else f"{'(from cold)':>20}"
        print(f"{kind:10}{rows / median:>12,.0f}{of_local:>10.2f}{started}")
    return [
        Limit(f"chunks: rows/s on Ray ({kind}) ÷ local", median_ratio(met["local"], met[kind]), "≥", OF_LOCAL)
        for kind in ("near", "far")
    ]


# end to end ------------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def executing_on(where: str) -> Iterator[None]:
    """Have servers that are started meanwhile run plugins there."""
    os.environ["MIXPEEK_EXECUTION"] = where
    try:
        yield
    finally:
        del os.environ["MIXPEEK_EXECUTION"]


def measure_stored(rounds: int, rows: int) -> list[Limit]:
    met: dict[str, list[float]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        servers: dict[str, tuple[EndToEnd, str]] = {}
        for where in ("local", "ray:local"):
            with executing_on(where):
                end_to_end = EndToEnd(stack.enter_context(running_platform()))
            servers[where] = end_to_end, end_to_end.fill(texts_of(rows))
            end_to_end.run(servers[where][1])
        for number in range(rounds):
            for where in turned(list(servers), number):
                end_to_end, bucket_id = servers[where]
                met[where].append(end_to_end.run(bucket_id)[0])
    print(f"\nend to end: {rows:,} rows stored, medians of {rounds} interleaved rounds")
    for where, seconds in met.items():
        print(f"{where:10}{rows / statistics.median(seconds):>12,.0f} rows/s")
    ratio = median_ratio(met["local"], met["ray:local"])
    return [Limit("end to end: rows/s on ray:local ÷ local", ratio, "≥", OF_LOCAL)]


# realtime --------------------------------------------------------------------------------------------------------
def measure_realtime(rounds: int, seconds: float) -> list[Limit]:
    results: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        targets: dict[str, Target] = {}
        for where in ("local", "ray:local"):
            with executing_on(where):
                targets[where] = asleep(stack.enter_context(serve_ours("trivial", REQUEST)))
        for peer in peers(["ray"]):
            targets[peer.name] = asleep(stack.enter_context(peer.serve("trivial", "plain", REQUEST)))
        for number in range(rounds):
            for concurrency in CONCURRENCIES:
                for name in turned(list(targets), number):
                    with targets[name].awake() as target:
                        results[name, concurrency].append(target.load(concurrency, seconds))
    rates = {key: [each["rate"] for each in met] for key, met in results.items()}
    print(f"\nrealtime: trivial, requests/s and times in ms, medians of {rounds} interleaved rounds")
    print(f"{'':10}{'at':>4}{'req/s':>10}{'p50':>9}{'p99':>9}")
    for (name, concurrency), met in sorted(results.items(), key=lambda item: item[0][1]):
        times = [statistics.median(each[key] for each in met) for key in ("p50_ms", "p99_ms")]
        rate = statistics.median(rates[name, concurrency])
        print(f"{name:10}{concurrency:>4}{rate:>10,.0f}{times[0]:>9.2f}{times[1]:>9.2f}")
    limits = []
    for concurrency in CONCURRENCIES:
        ours = rates["ray:local", concurrency]
        print(f"of local at {concurrency}: {median_ratio(ours, rates['local', concurrency]):.2f}")
        if ("ray", concurrency) in rates:
            ratio = median_ratio(ours, rates["ray", concurrency])
            limits.append(Limit(f"realtime: req/s ÷ Ray Serve's at {concurrency}", ratio, "≥", OF_RAY_SERVE))
    return limits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--stored-rows", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--ray-data", action="store_true")
    parser.add_argument("what", nargs="*", choices=["chunks", "stored", "realtime", []], default=[])
    given = parser.parse_args()
    processes.end_in_order_when_told()
    chosen = given.what or ["chunks", "stored", "realtime"]
    limits: list[Limit] = []
    if "chunks" in chosen:
        limits += measure_chunks(given.rounds, given.rows, with_ray_data=given.ray_data)
        ray.shutdown()
    if "stored" in chosen:
        limits += measure_stored(given.rounds, given.stored_rows)
    if "realtime" in chosen:
        limits += measure_realtime(given.rounds, given.seconds)
    print()
    sys.exit(0 if judge(limits) else 1)


if __name__ == "__main__":
    main()
