"""Realtime inference against its peers: requests a second and times, side by side in one run, as ratios to limits.

Ours is the whole platform, with sandbox, key check, metrics and version headers. `trivial` measures what carries the
requests, `minilm` a real model (int8 MiniLM), `batch` what a running batch does to trivial requests.
The model runs on one thread, in one copy for each core, ours and theirs; then one copy of ours alone is held against
the model itself.
Every contender is started once and then kept stopped (SIGSTOP) but for the one that is asked: nobody's idle processes
take from another, ours included. Woken, it is asked until it answers all, then measured. Every round asks each in turn,
beginning with another one; medians over rounds count, and ratios are formed within a round.
`null` is the load generator against fixed bytes: no figure near it says anything about a server.

`python realtime.py [--rounds N] [--seconds S] [--peers NAME,…] [trivial] [minilm] [batch]`; ends 1 if one is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from harness import processes
from harness.beside_batch import measure_beside_batch, report_beside_batch
from harness.contenders import DidNotStart, Peer, peers, serve_null
from harness.figures import Limit, judge, median_ratio
from harness.ours import serve_ours
from harness.target import HERE, LoadFailed, Target

CONCURRENCIES = {"trivial": (1, 8, 32), "minilm": (1, 8)}
REQUESTS = {
    "trivial": {"text": "hello"},
    "minilm": {
        "text": "a custom feature extractor turns rows of text images video and audio into vectors and values that"
        " searches over all of them can then compare with one another"
    },
}
# (peer, concurrency) → at least this many times its requests a second. Ray's own proxy is what its limits are for;
# behind HAProxy, which Ray has as an option, it must still be slower than we are.
RATES = {
    ("fastapi", 1): 0.9, ("fastapi", 8): 1.5, ("fastapi", 32): 1.5,
    ("litserve", 1): 6, ("litserve", 8): 6, ("litserve", 32): 6,
    ("bentoml", 1): 10, ("bentoml", 8): 10, ("bentoml", 32): 10,
    ("ray", 1): 50, ("ray", 8): 40, ("ray", 32): 40,
    ("ray_haproxy", 1): 1, ("ray_haproxy", 8): 1, ("ray_haproxy", 32): 1,
}  # fmt: skip
P99_OF_FASTAPI_AT_32 = 0.5
BEST_BATCHING_PEER, RAY_WITH_MODEL, OF_THE_MODEL, SLOWER_THAN_THE_MODEL = 1.15, 1.7, 0.95, 1.05
SIZES = (1, 2, 4, 7, 8, 16)
CHOOSING_S, WON_CLEARLY = 0.7, 1.15
# With these and five rounds, `trivial` takes under eight minutes with all peers.
SECONDS = {"trivial": 1.5, "minilm": 3.0, "batch": 2.0}

Results = dict[tuple[str, int], list[dict[str, Any]]]
Calls = list[dict[int, float]]


def in_process(handler: str, seconds: float) -> dict[int, float]:
    """Return the seconds of one call of the handler in a process of its own, by the requests in it."""
    line = list(map(str, [sys.executable, HERE / "in_process.py", handler, seconds, *SIZES]))
    ended = subprocess.run(line, input=json.dumps(REQUESTS[handler]).encode(), stdout=subprocess.PIPE, check=False)
    if ended.returncode:
        raise LoadFailed("the model alone could not be measured")
    told = json.loads(ended.stdout)
    return {size: told[str(size)] for size in SIZES}


def measure(
    handler: str, rounds: int, seconds: float, against: Sequence[Peer], workers: int
) -> tuple[Results, Calls, list[str]]:
    """Start all contenders and ask them in turn; also return the peers that failed, which then have no results."""
    results: Results = defaultdict(list)
    calls: Calls = []
    failed: list[str] = []
    with contextlib.ExitStack() as stack:
        targets = {"ours": asleep(stack.enter_context(serve_ours(handler, REQUESTS[handler], workers)))}
        for peer in against:
            try:
                targets[peer.name] = start(stack, peer, handler, workers)
            except (DidNotStart, LoadFailed) as error:
                print(f"{peer.name} failed and is not measured: {error}")
                failed.append(peer.name)
        targets["null"] = asleep(stack.enter_context(serve_null()))
        for number in range(rounds):
            for concurrency in CONCURRENCIES[handler]:
                for name in turned(list(targets), number):
                    try:
                        with targets[name].awake() as target:
                            results[name, concurrency].append(target.load(concurrency, seconds))
                    except LoadFailed as error:
                        if name == "ours":
                            raise
                        print(f"{name} failed at {concurrency} and is measured no further: {error}")
                        failed.append(name)
                        del targets[name]
            if handler == "minilm" and not against:
                calls.append(in_process(handler, seconds))
            print(f"{handler}: round {number + 1} of {rounds} done", file=sys.stderr, flush=True)
    return {key: met for key, met in results.items() if key[0] not in failed}, calls, failed


def asleep(target: Target) -> Target:
    """Warm a server up and stop it until it is its turn."""
    with target.awake():
        return target


def start(stack: contextlib.ExitStack, peer: Peer, handler: str, workers: int) -> Target:
    """Start a peer: with its batching on for a model; else in the mode that is the faster for it, tried now."""
    request = REQUESTS[handler]
    if len(peer.modes) == 1:
        return asleep(stack.enter_context(peer.serve(handler, peer.modes[0], request, workers=workers)))
    if handler == "minilm":
        return asleep(stack.enter_context(peer.serve(handler, "batching", request, workers=workers)))
    rates: dict[str, float] = {}
    kept = contextlib.ExitStack()
    # One mode after the other, as Ray's HAProxy binds fixed ports; the last one stays up if it wins, as it mostly does.
    for mode in reversed(peer.modes):
        kept.close()
        target = kept.enter_context(peer.serve(handler, mode, request, workers=workers))
        target.settle()
        # From the most down to one, as every round but the first finds it: what a batch waits for is learned meanwhile.
        tried = {each: target.load(each, CHOOSING_S)["rate"] for each in CONCURRENCIES[handler][::-1]}
        rates[mode] = statistics.geometric_mean(tried.values())
        told = ", ".join(f"{rate:,.0f} req/s at {concurrency}" for concurrency, rate in tried.items())
        print(f"{peer.name}, {mode}: {told}")
    # A mode that lets requests wait must win clearly: its trial is short, and it may have been lucky.
    best = "batching" if rates["batching"] > WON_CLEARLY * rates["plain"] else "plain"
    print(f"{peer.name} is measured {best}", flush=True)
    if best != mode:
        kept.close()
        target = kept.enter_context(peer.serve(handler, best, request, workers=workers))
    stack.enter_context(kept)
    return asleep(target)


def turned(names: list[str], by: int) -> list[str]:
    """Return the names in the same order, beginning with another one each round."""
    at = by % len(names)
    return [*names[at:], *names[:at]]


def values(results: Results, name: str, concurrency: int, key: str) -> list[float]:
    return [each[key] for each in results[name, concurrency]]


def ratio(results: Results, peer: str, concurrency: int, key: str) -> float:
    """Return the median over rounds of ours divided by the peer's."""
    return median_ratio(values(results, "ours", concurrency, key), values(results, peer, concurrency, key))


def report(handler: str, results: Results) -> None:
    print(f"\n{handler}: requests/s and times in ms (medians of {len(results['ours', 1])} interleaved rounds)")
    print(f"{'':12}{'at':>4}{'req/s':>10}{'min':>9}{'max':>9}{'p50':>9}{'p99':>9}{'ours/peer':>12}{'p99 ratio':>11}")
    for name, concurrency in sorted(results, key=lambda key: key[1]):
        rates = values(results, name, concurrency, "rate")
        row = f"{name:12}{concurrency:>4}{statistics.median(rates):>10,.0f}{min(rates):>9,.0f}{max(rates):>9,.0f}"
        for key in ("p50_ms", "p99_ms"):
            row += f"{statistics.median(values(results, name, concurrency, key)):>9.2f}"
        if name not in ("ours", "null"):
            row += f"{ratio(results, name, concurrency, 'rate'):>12.2f}"
            row += f"{ratio(results, name, concurrency, 'p99_ms'):>11.2f}"
        print(row)
    print()


def limits_of_trivial(results: Results) -> list[Limit]:
    limits = [
        Limit(f"trivial: req/s ÷ {peer}'s at {concurrency}", ratio(results, peer, concurrency, "rate"), "≥", limit)
        for (peer, concurrency), limit in RATES.items()
        if (peer, concurrency) in results
    ]
    if ("fastapi", 32) in results:
        share = ratio(results, "fastapi", 32, "p99_ms")
        limits.append(Limit("trivial: p99 ÷ fastapi's at 32", share, "≤", P99_OF_FASTAPI_AT_32))
    return limits


def limits_of_rivals(results: Results) -> list[Limit]:
    limits = []
    rivals = [name for name in ("litserve", "bentoml", "ray", "ray_haproxy") if (name, 8) in results]
    if rivals:
        best = max(rivals, key=lambda name: statistics.median(values(results, name, 8, "rate")))
        what = f"minilm: req/s ÷ the best batching peer's at 8 ({best})"
        limits.append(Limit(what, ratio(results, best, 8, "rate"), "≥", BEST_BATCHING_PEER))
    if ("ray", 8) in results:
        limits.append(Limit("minilm: req/s ÷ ray's at 8", ratio(results, "ray", 8, "rate"), "≥", RAY_WITH_MODEL))
    return limits


def limits_of_model(results: Results, calls: Calls) -> list[Limit]:
    shares = [
        share_of_model(reached["rate"], {int(size): count for size, count in reached["batches"].items()}, call)
        for reached, call in zip(results["ours", 8], calls, strict=True)
    ]
    last = ", ".join(f"{size}: {count}" for size, count in sorted(results["ours", 8][-1]["batches"].items()))
    what = "minilm, one copy: req/s at 8 ÷ the model's alone at the batch sizes reached"
    slower = median_ratio(values(results, "ours", 1, "p50_ms"), [call[1] * 1e3 for call in calls])
    return [
        Limit(what, statistics.median(shares), "≥", OF_THE_MODEL, f"requests by batch size {last}"),
        Limit("minilm, one copy: p50 at 1 ÷ one call of the model alone", slower, "≤", SLOWER_THAN_THE_MODEL),
    ]


def report_model(calls: Calls) -> None:
    own = {size: statistics.median(each[size] for each in calls) for size in SIZES}
    texts = ", ".join(f"{size}: {size / taken:.0f}" for size, taken in own.items())
    print(f"the model in a process of its own, texts/s by texts in a call: {texts}\n")


def share_of_model(rate: float, requests: dict[int, int], call: dict[int, float]) -> float:
    """Return requests/s as a share of what the model alone does in calls of the sizes that were reached.

    Args:
        requests: how many requests shared a call of each size.
        call: seconds of one call by size.
    """
    # Each request of a call of n stands for a share 1/n of that call.
    expected_s = sum(count / size * _seconds(call, size) for size, count in requests.items())
    return rate / (sum(requests.values()) / expected_s)


def _seconds(call: dict[int, float], size: int) -> float:
    """Return the time of a call of `size`, between the sizes that were measured."""
    below = max(each for each in call if each <= size)
    above = min((each for each in call if each >= size), default=below)
    if above == below:
        return call[below] * size / below
    return call[below] + (call[above] - call[below]) * (size - below) / (above - below)


def main() -> int:
    processes.end_in_order_when_told()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="trivial|minilm|batch", default=list(SECONDS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, help=f"of each measurement; by default {SECONDS}")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--workers", type=int, default=cores, help=f"copies of the model, ours and theirs; {cores} here"
    )
    parser.add_argument("--peers", help="only these, separated by commas")
    given = parser.parse_args()
    limits: list[Limit] = []
    named = None if given.peers is None else given.peers.split(",")
    against = peers(named) if {"trivial", "minilm"} & set(given.what) else []
    for what in given.what:
        seconds = given.seconds or SECONDS[what]
        if what == "batch":
            met = measure_beside_batch(given.rounds, seconds)
            limits += report_beside_batch(met)
            continue
        results, _, failed = measure(what, given.rounds, seconds, against, given.workers if what == "minilm" else 1)
        report(what, results)
        limits += limits_of_trivial(results) if what == "trivial" else limits_of_rivals(results)
        if what == "minilm":
            results, calls, _ = measure(what, given.rounds, seconds, [], 1)
            report("minilm, one copy", results)
            report_model(calls)
            limits += limits_of_model(results, calls)
        limits += [Limit(f"{what}: {name} could be measured", math.nan, "≥", 1) for name in failed]
    print()
    return 0 if judge(limits) else 1


if __name__ == "__main__":
    sys.exit(main())
