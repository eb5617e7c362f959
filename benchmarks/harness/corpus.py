"""Vectors in clusters and documents that have them, made block by block: the same for all, never all in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from harness.store import FEATURE
from numpy.typing import NDArray

from mixpeek.documents.port import NewDocument

CHUNK, QUERIES = 1000, 200
CENTRES, SPREAD = 200, 0.7
# One document in so many passes each filter.
FILTERS = {"unfiltered": 1, "5 %": 20, "0.1 %": 1000}
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Corpus:
    """So many unit vectors around common centres; the number of a row decides what its document holds."""

    rows: int
    dimensions: int

    @cached_property
    def _centres(self) -> Vectors:
        return np.random.default_rng(0).normal(size=(CENTRES, self.dimensions)).astype(np.float32)

    @cached_property
    def _names(self) -> NDArray[np.int64]:
        # Ids in no order, as those of real documents are.
        return np.random.default_rng(1).permutation(self.rows)

    def _clustered(self, rows: int, seed: Sequence[int]) -> Vectors:
        random = np.random.default_rng(list(seed))
        made = self._centres[random.integers(0, CENTRES, rows)] + SPREAD * random.normal(size=(rows, self.dimensions))
        unit: Vectors = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
        return unit

    @cached_property
    def queries(self) -> Vectors:
        return self._clustered(QUERIES, [2])

    def blocks(self) -> Iterator[tuple[int, Vectors]]:
        """Yield the number of each block's first row, and its vectors."""
        for start in range(0, self.rows, CHUNK):
            yield start, self._clustered(min(CHUNK, self.rows - start), [3, start])

    def name(self, row: int) -> str:
        return f"doc_{self._names[row]:08}"

    def chunks(self) -> Iterator[list[NewDocument]]:
        for start, matrix in self.blocks():
            yield [self._document(start + n, vector) for n, vector in enumerate(matrix)]

    def _document(self, row: int, vector: Vectors) -> NewDocument:
        return NewDocument(
            self.name(row),
            "btch_1",
            f"obj_{row}",
            {"number": row, **{f"in_{m}": row % m for m in FILTERS.values()}, "label": f"label {row % 97} of a row"},
            {"lineage": {"root_object_id": f"obj_{row}"}},
            {FEATURE: vector},
        )

    def nearest(self, k: int, queries: int) -> dict[int, list[set[int]]]:
        """Return the rows that are nearest to the first queries, by brute force, among one row in so many."""
        wanted = self.queries[:queries]
        best = {one_in: [(np.empty(0, np.float32), np.empty(0, np.int64))] * queries for one_in in FILTERS.values()}
        for start, matrix in self.blocks():
            scores, rows = wanted @ matrix.T, np.arange(start, start + len(matrix))
            for one_in, kept in best.items():
                passing = rows % one_in == 0
                for n in range(queries):
                    both = np.concatenate([kept[n][0], scores[n][passing]])
                    numbers = np.concatenate([kept[n][1], rows[passing]])
                    order = np.argsort(-both)[:k]
                    kept[n] = (both[order], numbers[order])
        return {one_in: [set(numbers.tolist()) for _, numbers in kept] for one_in, kept in best.items()}
