"""Realtime inference against its peers: requests a second and times, side by side in one run, as ratios.

Ours is the whole platform, with sandbox, key check and version headers. `trivial` measures what carries the requests,
`minilm` a real model (int8 MiniLM, one thread). Every round asks each contender in turn; medians over rounds count.
`null` is the load generator against fixed bytes: no figure near it says anything about a server.

`python realtime.py [--rounds N] [--seconds S] [trivial] [minilm]`
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from typing import Any

from harness.contenders import HERE, OURS, Target, peers, serve_null

CONCURRENCIES = {"trivial": (1, 8, 32), "minilm": (1, 8)}
REQUESTS = {
    "trivial": {"text": "hello"},
    "minilm": {
        "text": "a custom feature extractor turns rows of text images video and audio into vectors and values that"
        " searches over all of them can then compare with one another"
    },
}
# (peer, concurrency) → at least this many times its requests a second.
RATES = {("fastapi", 1): 0.9, ("fastapi", 8): 1.5, ("fastapi", 32): 1.5}
P99_AT_32 = 0.5
SIZES = (1, 2, 4, 7, 8, 16)

Results = dict[tuple[str, int], list[dict[str, Any]]]


def load(target: Target, concurrency: int, seconds: float) -> dict[str, Any]:
    """Return what one round of load met; every request must have been answered 200."""
    line = [sys.executable, HERE / "load.py", target.port, target.path, concurrency, seconds, *target.headers]
    done = subprocess.run(list(map(str, line)), input=target.body, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    result: dict[str, Any] = json.loads(done.stdout)
    assert not result["failed"], result["first_failure"]
    return result


def in_process(handler: str, seconds: float) -> dict[int, float]:
    """Return the seconds of one call of the handler in a process of its own, by the requests in it."""
    line = [sys.executable, HERE / "in_process.py", handler, seconds, *SIZES]
    body = json.dumps(REQUESTS[handler]).encode()
    done = subprocess.run(list(map(str, line)), input=body, capture_output=True, check=True)
    return {int(size): taken for size, taken in json.loads(done.stdout).items()}


def measure(handler: str, rounds: int, seconds: float) -> tuple[Results, list[dict[int, float]]]:
    """Run all contenders at once, idle but for the one that is asked."""
    results: Results = defaultdict(list)
    calls: list[dict[int, float]] = []
    with contextlib.ExitStack() as stack:
        targets = {each.name: stack.enter_context(each.serve(handler, REQUESTS[handler])) for each in [OURS, *peers()]}
        targets["null"] = stack.enter_context(serve_null())
        for target in targets.values():
            load(target, 8, min(1.0, seconds))
        for _ in range(rounds):
            for concurrency in CONCURRENCIES[handler]:
                for name, target in targets.items():
                    results[name, concurrency].append(load(target, concurrency, seconds))
            if handler == "minilm":
                calls.append(in_process(handler, seconds))
    return results, calls


def median(results: Results, name: str, concurrency: int, key: str) -> float:
    return statistics.median(each[key] for each in results[name, concurrency])


def ratio(results: Results, peer: str, concurrency: int, key: str) -> float:
    """Return the median over rounds of ours divided by the peer's."""
    pairs = zip(results["ours", concurrency], results[peer, concurrency], strict=True)
    return statistics.median(ours[key] / theirs[key] for ours, theirs in pairs)


def report(handler: str, results: Results) -> None:
    print(f"\n{handler}: requests/s and times in ms (medians of {len(results['ours', 1])} interleaved rounds)")
    print(f"{'':12}{'at':>4}{'req/s':>10}{'p50':>9}{'p99':>9}{'ours/peer':>12}{'limit':>8}{'p99 ratio':>11}")
    for name, concurrency in results:
        row = f"{name:12}{concurrency:>4}{median(results, name, concurrency, 'rate'):>10,.0f}"
        row += "".join(f"{median(results, name, concurrency, key):>9.2f}" for key in ("p50_ms", "p99_ms"))
        if name not in ("ours", "null"):
            limit = RATES.get((name, concurrency)) if handler == "trivial" else None
            row += f"{ratio(results, name, concurrency, 'rate'):>12.2f}{f'≥ {limit}' if limit else '':>8}"
            row += f"{ratio(results, name, concurrency, 'p99_ms'):>11.2f}"
            row += f" (≤ {P99_AT_32})" if (handler, name, concurrency) == ("trivial", "fastapi", 32) else ""
        print(row)


def report_model(results: Results, calls: list[dict[int, float]]) -> None:
    """Print ours beside the model alone, called with as many texts at once as our calls reached."""
    own = {size: statistics.median(each[size] for each in calls) for size in SIZES}
    print("the model in its own process, texts/s by texts in a call: ", end="")
    print(", ".join(f"{size}: {size / taken:.0f}" for size, taken in own.items()))
    shares = []
    for reached, call in zip(results["ours", 8], calls, strict=True):
        # Each request of a call of n stands for a share 1/n of that call.
        sizes = {int(size): count for size, count in reached["batches"].items()}
        expected = sum(count / size * _seconds(call, size) for size, count in sizes.items())
        shares.append(reached["rate"] / (sum(sizes.values()) / expected))
    last = ", ".join(f"{size}: {count}" for size, count in sorted(results["ours", 8][-1]["batches"].items()))
    print(f"ours at 8: {statistics.median(shares):.2f} of the model at the sizes reached (≥ 0.95); by size: {last}")
    slower = statistics.median(
        ours["p50_ms"] / 1e3 / call[1] for ours, call in zip(results["ours", 1], calls, strict=True)
    )
    print(f"ours at 1: {slower:.2f} × the model's own time (≤ 1.05)")


def _seconds(call: dict[int, float], size: int) -> float:
    """Return the time of a call of `size`, between the sizes that were measured."""
    below = max(each for each in call if each <= size)
    above = min((each for each in call if each >= size), default=below)
    if above == below:
        return call[below] * size / below
    return call[below] + (call[above] - call[below]) * (size - below) / (above - below)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("handlers", nargs="*", default=["trivial", "minilm"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    for handler in given.handlers:
        results, calls = measure(handler, given.rounds, given.seconds)
        report(handler, results)
        if calls:
            report_model(results, calls)


if __name__ == "__main__":
    main()
