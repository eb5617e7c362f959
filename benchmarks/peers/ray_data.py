"""Ray Data over rows of text: `map_batches` with a pool of two actors, from a cold process to the last row.

Usage: ray_data.py ROWS.json BATCH_ROWS cheap|minilm; prints JSON: seconds from the start of this file to the end, of
which how long Ray took to start, and how many rows came out.

Set for speed, by Ray's own guides: blocks repartitioned so that both actors work, `batch_format="pandas"` as the
processor takes frames, no dashboard, no progress bars, no usage reports, one thread per actor for the model.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

began = time.perf_counter()
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import ray  # noqa: E402

sys.path[:0] = sys.argv[4:]
ACTORS = 2


class Processor:
    """The processor that every contender runs."""

    def __init__(self, name: str, paths: list[str]) -> None:
        sys.path[:0] = paths
        from batch_processors import make

        self._processor = make(name)

    def __call__(self, batch):  # type: ignore[no-untyped-def]
        return self._processor(batch)


if __name__ == "__main__":
    texts = json.loads(Path(sys.argv[1]).read_text())
    ray.init("local", num_cpus=max(2, os.cpu_count() or 1), include_dashboard=False, log_to_driver=False)
    started = time.perf_counter()
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    blocks = max(2 * ACTORS, len(texts) // 8192)
    rows = ray.data.from_items([{"data": text} for text in texts], override_num_blocks=blocks)
    done = rows.map_batches(
        Processor,
        fn_constructor_args=(sys.argv[3], sys.argv[4:]),
        batch_size=int(sys.argv[2]),
        batch_format="pandas",
        compute=ray.data.ActorPoolStrategy(size=ACTORS),
        num_cpus=1,
    )
    count = sum(len(batch["data"]) for batch in done.iter_batches(batch_size=8192, batch_format="pyarrow"))
    ended = time.perf_counter()
    print(json.dumps({"seconds": ended - began, "start_s": started - began, "rows": count}))
