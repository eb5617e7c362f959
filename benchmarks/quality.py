"""How good answers are: vector, text and hybrid search on a judged collection, and vectors held to brute force.

    quality.py --data DIRECTORY    with corpus.jsonl.gz (doc_id, title, text), queries.jsonl (query_id, text), qrels.tsv

Every document is written through the document store with the vector that the example plugin `text_embedding` makes of
its title and text (int8 MiniLM), and every query is searched three ways. Hybrid search fuses the first 100 of both by
reciprocal rank.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples" / "plugins")]

import numpy as np  # noqa: E402
from harness.figures import Limit, judge  # noqa: E402
from harness.store import Store, running_store  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from mixpeek.documents.port import NewDocument  # noqa: E402

DEPTH, AT = 100, 10
RRF_CONSTANT = 60
AT_ONCE = 500
Run = dict[str, list[str]]


@dataclass(frozen=True)
class Judged:
    """A collection of texts, queries, and which texts answer each."""

    texts: dict[str, tuple[str, str]]  # title and text
    queries: dict[str, str]
    answers: dict[str, set[str]]


def read(directory: Path) -> Judged:
    with gzip.open(directory / "corpus.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    answers: dict[str, set[str]] = {}
    for line in (directory / "qrels.tsv").read_text().splitlines():
        query, document, relevance = line.split()[:3]
        if relevance.isdigit() and int(relevance) > 0:
            answers.setdefault(query, set()).add(document)
    queries = [json.loads(line) for line in (directory / "queries.jsonl").read_text().splitlines()]
    return Judged(
        {str(row["doc_id"]): (row["title"], row["text"]) for row in rows},
        {str(row["query_id"]): row["text"] for row in queries if str(row["query_id"]) in answers},
        answers,
    )


def ndcg(found: Sequence[str], answers: set[str]) -> float:
    gain = sum(1 / math.log2(rank + 2) for rank, key in enumerate(found[:AT]) if key in answers)
    return gain / sum(1 / math.log2(rank + 2) for rank in range(min(AT, len(answers))))


def recall(found: Sequence[str], answers: set[str]) -> float:
    return len(set(found[:DEPTH]) & answers) / len(answers)


def reciprocal_rank(found: Sequence[str], answers: set[str]) -> float:
    return next((1 / (rank + 1) for rank, key in enumerate(found) if key in answers), 0.0)


MEASURES: dict[str, Callable[[Sequence[str], set[str]], float]] = {
    "nDCG@10": ndcg,
    "recall@100": recall,
    "MRR": reciprocal_rank,
}


def figures(run: Run, judged: Judged) -> dict[str, float]:
    return {
        name: statistics.fmean(measure(run[query], judged.answers[query]) for query in judged.queries)
        for name, measure in MEASURES.items()
    }


def fused(first: Run, second: Run) -> Run:
    """Fuse two runs by reciprocal rank, query by query."""
    run: Run = {}
    for query in first:
        scores: dict[str, float] = {}
        for found in (first[query], second[query]):
            for rank, key in enumerate(found):
                scores[key] = scores.get(key, 0.0) + 1 / (RRF_CONSTANT + rank + 1)
        run[query] = sorted(scores, key=lambda key: (-scores[key], key))[:DEPTH]
    return run


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    from text_embedding.processors.encoder import Encoder  # type: ignore[import-not-found, unused-ignore]

    encoder = Encoder()
    parts = [np.asarray(encoder.encode(list(texts[at : at + 32]))) for at in range(0, len(texts), 32)]
    vectors: NDArray[np.float32] = np.concatenate(parts).astype(np.float32)
    return vectors


def write(store: Store, judged: Judged, vectors: Mapping[str, NDArray[np.float32]]) -> None:
    documents = [
        NewDocument(key, "btch_1", "obj_1", {"title": title, "text": text}, {}, {"embedding": vectors[key]})
        for key, (title, text) in judged.texts.items()
    ]
    for start in range(0, len(documents), AT_ONCE):
        store.write(documents[start : start + AT_ONCE])


@contextmanager
def timed(what: str, times: int) -> Iterator[None]:
    began = time.perf_counter()
    yield
    print(f"{what}: {(time.perf_counter() - began) * 1000 / times:.1f} ms each", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the judged collection")
    data = parser.parse_args().data
    if data is None or not (data / "corpus.jsonl.gz").exists():
        print("No judged collection there: give its directory with --data; see --help for its files")
        return 0
    judged = read(data)
    print(f"{len(judged.texts)} documents, {len(judged.queries)} queries with answers", flush=True)
    keys, queries = list(judged.texts), list(judged.queries)
    with timed("embedding", len(keys)):
        matrix = encode([f"{title} {text}".strip() for title, text in judged.texts.values()])
    asked = encode([judged.queries[query] for query in queries])
    with tempfile.TemporaryDirectory() as directory, running_store(Path(directory), len(asked[0]), "cosine") as store:
        write(store, judged, dict(zip(keys, matrix, strict=True)))
        with timed("vector", len(queries)):
            vector = {
                query: [hit.document_id for hit in store.search(one, DEPTH)]
                for query, one in zip(queries, asked, strict=True)
            }
        with timed("text", len(queries)):
            text = {
                query: [hit.document_id for hit in store.search_text(judged.queries[query], DEPTH)] for query in queries
            }
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    order = np.argsort(-(asked @ unit.T), axis=1, kind="stable")[:, :DEPTH]
    brute = {query: [keys[at] for at in row] for query, row in zip(queries, order, strict=True)}
    runs = {"vector": vector, "text": text, "hybrid": fused(vector, text), "brute force": brute}
    found = {name: figures(run, judged) for name, run in runs.items()}
    for name, values in found.items():
        print(f"{name:12}" + "".join(f"  {measure} {value:.4f}" for measure, value in values.items()), flush=True)
    limits = [
        Limit(f"vector beside brute force, {m}", abs(found["vector"][m] - found["brute force"][m]), "≤", 0.00005)
        for m in MEASURES
    ]
    limits += [
        Limit(f"hybrid over {one}, {m}", found["hybrid"][m] / found[one][m], "≥", 1.0)
        for one in ("vector", "text")
        for m in MEASURES
    ]
    return 0 if judge(limits) else 1


if __name__ == "__main__":
    sys.exit(main())
