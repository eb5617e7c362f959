"""Qdrant Edge as a peer: its process over the vectors of a corpus, told when to search."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from harness.contenders import ENVIRONMENTS, PEERS
from harness.corpus import FILTERS, Corpus

NAME = "qdrant_edge"


@dataclass
class Edge:
    """A running peer with everything indexed; `about` is what it took."""

    process: subprocess.Popen[str]
    about: dict[str, Any]

    def search(self, one_in: int) -> dict[str, Any]:
        """Return `seconds` and `rows` of each query, filtered to one row in so many."""
        asked: IO[str] | None = self.process.stdin
        assert asked is not None, "it was started with a pipe"
        asked.write("\n" if one_in == 1 else f"in_{one_in}\n")
        asked.flush()
        return _read(self.process)


@contextlib.contextmanager
def running_edge(folder: Path, corpus: Corpus, *, m: int, ef_construct: int, ef: int, k: int) -> Iterator[Edge | None]:
    """Yield the peer, None where it has no environment."""
    interpreter = ENVIRONMENTS / NAME / "bin" / "python"
    if not interpreter.exists():
        print(f"{NAME} is left out: `benchmarks/peers/install {NAME}` makes its environment", flush=True)
        yield None
        return
    shape = (corpus.rows, corpus.dimensions)
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", mode="w+", dtype=np.float32, shape=shape)
    for start, matrix in corpus.blocks():
        vectors[start : start + len(matrix)] = matrix
    vectors.flush()
    np.save(folder / "queries.npy", corpus.queries)
    fields = [f"in_{one_in}" for one_in in FILTERS.values() if one_in > 1]
    line = [interpreter, PEERS / "qdrant_edge_searches.py", folder, m, ef_construct, ef, k, *fields]
    with subprocess.Popen(list(map(str, line)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Edge(process, _read(process))
        finally:
            process.kill()


def _read(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None, "it was started with a pipe"
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{NAME} ended with {process.wait()}")
    found: dict[str, Any] = json.loads(line)
    return found
