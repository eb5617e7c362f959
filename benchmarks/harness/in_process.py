"""How long a peer handler takes in this process, for each number of requests in one call: nothing carries them.

Usage: `python in_process.py HANDLER SECONDS SIZE... < request`; prints seconds per call by size, as JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

# As in a host: replicas, not threads, use the cores.
os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))

from handlers import load_handler


def main() -> None:
    name, seconds, *sizes = sys.argv[1:]
    handler, request = load_handler(name), json.load(sys.stdin)
    times: dict[int, list[float]] = {int(size): [] for size in sizes}
    for size in times:
        handler.predict_batch([request] * size)
    ends = time.perf_counter() + float(seconds)
    while time.perf_counter() < ends:
        for size, taken in times.items():
            began = time.perf_counter()
            handler.predict_batch([request] * size)
            taken.append(time.perf_counter() - began)
    print(json.dumps({size: statistics.median(taken) for size, taken in times.items()}))


if __name__ == "__main__":
    main()
