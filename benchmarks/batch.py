"""Batches beside a plain loop, bare processes, Ray Data and bare upserts: ratios, medians of interleaved rounds.

    batch.py                     execution alone, and end to end
    batch.py --faults            what one bad row in 10,000 costs, by kind
    batch.py --long              memory and cost per row from 10,000 to 1,000,000 rows

Execution alone: sandboxed hosts, two processes, frames in and checked frames out; nothing is read or stored. MiniLM
multiplies int8 (`peers/quantize.py`), for every contender; with `--floats` it is the package's, whose int8 weights are
multiplied as floats, at twice the time.
End to end: from `trigger` to COMPLETED, objects already stored, documents searchable, outcomes and commits recorded.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from harness.bare_upserts import bare_database, bare_upserts
from harness.cheap import FAULTS, texts_of, write_cheap
from harness.end_to_end import EndToEnd
from harness.execution_alone import bare_processes, hosts_alone, loop_alone, ray_data, text_example
from harness.figures import Limit, judge, median_ratio
from harness.ours import await_quiet, running_platform, tree_of
from harness.processes import pss_mb
from peers.batch_processors import MINILM_BATCH

Seconds = dict[str, list[float]]


def measure(
    rounds: int, cheap_rows: int, minilm_rows: int, stored_rows: int, peers: Sequence[str], *, floats: bool
) -> bool:
    met: Seconds = defaultdict(list)
    cheap, minilm, stored = texts_of(cheap_rows), texts_of(minilm_rows), texts_of(stored_rows)
    with tempfile.TemporaryDirectory() as name, running_platform() as platform:
        folder = Path(name)
        end_to_end = EndToEnd(platform)
        bucket_id = end_to_end.fill(stored)
        (folder / "database").mkdir()
        database, end_database = bare_database(folder / "database")
        plugin = write_cheap(folder / "plugins")
        embedding = text_example(folder, floats=floats)
        for number in range(rounds):
            if cheap_rows:
                met["cheap loop"].append(loop_alone("cheap", cheap))
                cold, steady = hosts_alone(plugin, "cheap", cheap)
                met["cheap hosts, cold"].append(cold)
                met["cheap hosts"].append(steady)
                if "ray" in peers and (seconds := ray_data("cheap", cheap, folder)) is not None:
                    met["cheap ray data, cold"].append(seconds)
            if minilm_rows:
                met["minilm processes"].append(bare_processes("minilm", minilm, embedding.parent))
                cold, steady = hosts_alone(embedding, "minilm", minilm)
                met["minilm hosts, cold"].append(cold)
                met["minilm hosts"].append(steady)
                if "ray" in peers and (seconds := ray_data("minilm", minilm, folder, embedding.parent)) is not None:
                    met["minilm ray data, cold"].append(seconds)
            if stored_rows:
                met["stored upserts"].append(bare_upserts(database, stored, number))
                met["stored hosts, cold"].append(hosts_alone(plugin, "cheap", stored)[0])
                met["stored end to end"].append(end_to_end.run(bucket_id)[0])
                await_quiet(platform)  # it indexes what it wrote, beside whatever is measured next
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
    parser.add_argument("--floats", action="store_true", help="MiniLM as its package has it")
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
        holds = measure(
            given.rounds, given.cheap_rows, given.minilm_rows, given.stored_rows, peers, floats=given.floats
        )
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
