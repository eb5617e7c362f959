"""The index of a block of texts: for each term, which of them have it and how often; and ranking by it. Pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from mixpeek.documents import bm25

if TYPE_CHECKING:  # slow to load: a process that neither writes texts nor searches them does without
    import numpy as np
    from numpy.typing import NDArray

MOST_IN_BLOCK = 2**16 - 1
_MOST_COUNTED = 2**16 - 1
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_COPY_END = struct.pack("!h", -1)
_row_head = struct.Struct("!hiqiii").pack
_length = struct.Struct("!i").pack


def number_of(term: str) -> int:
    """Return the number a term is stored by, within the range of an `integer` of PostgreSQL."""
    number = zlib.crc32(term.encode())
    return number - 2**32 if number >= 2**31 else number


def lengths_of(texts: Sequence[Sequence[str]]) -> bytes:
    import numpy as np

    return np.array([len(text) for text in texts], dtype="<u2").tobytes()


def posting_rows(block: int, texts: Sequence[Sequence[str]]) -> bytes | None:
    """Return rows of (block, term, places, counts) for a binary COPY; None where no text has a term."""
    import numpy as np

    lengths = [len(text) for text in texts]
    terms = np.fromiter(map(number_of, chain.from_iterable(texts)), dtype=np.int64, count=sum(lengths))
    if not len(terms):
        return None
    place = np.repeat(np.arange(len(texts), dtype=np.int64), lengths)
    both, times = np.unique((terms << 16) | place, return_counts=True)
    places, counts = (both & MOST_IN_BLOCK).astype("<u2"), np.minimum(times, _MOST_COUNTED).astype("<u2")
    numbers = both >> 16
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
    raw_places, raw_counts = places.tobytes(), counts.tobytes()
    parts = [_COPY_HEAD]
    for number, start, end in zip(
        numbers[starts].tolist(), (starts * 2).tolist(), [*(starts[1:] * 2).tolist(), len(raw_places)], strict=True
    ):
        size = end - start
        parts += (
            _row_head(4, 8, block, 4, number, size),
            raw_places[start:end],
            _length(size),
            raw_counts[start:end],
        )
    parts.append(_COPY_END)
    return b"".join(parts)


@dataclass(frozen=True)
class Block:
    """What a search reads of a block: all lengths, and the postings of the terms it looks for, one behind the other."""

    block: int
    lengths: bytes
    gone: Sequence[int]
    terms: Sequence[int]
    sizes: Sequence[int]  # of the postings of each term, in bytes
    places: bytes
    counts: bytes


@dataclass(frozen=True)
class Ranked:
    """The documents that have a term of the query, best first, equals in any order: block, place and score of each."""

    blocks: NDArray[np.int64]
    places: NDArray[np.int64]
    scores: NDArray[np.float64]

    def runs(self, first: int) -> Iterator[slice]:
        """Yield what to look at next: about `first` to begin with, then ever more, equal scores always together."""
        import numpy as np

        start, size = 0, first
        while start < len(self.scores):
            last = self.scores[min(start + size, len(self.scores)) - 1]
            end = int(np.searchsorted(-self.scores, -last, side="right"))
            yield slice(start, end)
            start, size = end, size * 4


def rank(blocks: Sequence[Block], query: Sequence[str]) -> Ranked:
    """Rank by BM25 as `bm25.rank` does, over all blocks as one collection of texts."""
    import numpy as np

    lengths = np.frombuffer(b"".join(block.lengths for block in blocks), dtype="<u2").astype(np.float64)
    sizes = np.array([len(block.lengths) // 2 for block in blocks], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64) if blocks else np.zeros(0, np.int64)
    is_there = np.ones(len(lengths), dtype=bool)
    for block, offset in zip(blocks, offsets, strict=True):
        is_there[offset + np.asarray(block.gone, dtype=np.int64)] = False
    documents = int(is_there.sum())
    scores, is_found = np.zeros(len(lengths)), np.zeros(len(lengths), dtype=bool)
    if documents:
        average = float(lengths[is_there].sum()) / documents
        found = _found(blocks, offsets)
        for term in query:
            if (postings := found.get(number_of(term))) is None:
                continue
            at, times = postings
            at, times = at[is_there[at]], times[is_there[at]]
            weight = bm25.idf(documents, len(at))
            length = lengths[at]
            scores[at] += weight * times * (bm25.K1 + 1) / (times + bm25.K1 * (1 - bm25.B + bm25.B * length / average))
            is_found[at] = True
    at = np.flatnonzero(is_found)
    at = at[np.argsort(-scores[at], kind="stable")]
    numbers = np.array([block.block for block in blocks], dtype=np.int64)
    of = np.searchsorted(offsets, at, side="right") - 1
    return Ranked(numbers[of], at - offsets[of], scores[at])


def _found(
    blocks: Sequence[Block], offsets: NDArray[np.int64]
) -> dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Return, by term, which documents have it, counted over all blocks, and how often."""
    import numpy as np

    parts: dict[int, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
    for block, offset in zip(blocks, offsets, strict=True):
        places = np.frombuffer(block.places, dtype="<u2").astype(np.int64) + offset
        counts = np.frombuffer(block.counts, dtype="<u2").astype(np.float64)
        start = 0
        for term, size in zip(block.terms, block.sizes, strict=True):
            end = start + size // 2
            parts.setdefault(term, []).append((places[start:end], counts[start:end]))
            start = end
    return {
        term: (np.concatenate([at for at, _ in found]), np.concatenate([times for _, times in found]))
        for term, found in parts.items()
    }
