"""Qdrant Edge, in this process: loads and indexes vectors, then searches when it is told to.

    qdrant_edge_searches.py FOLDER M EF_CONSTRUCT EF K FIELD...

FOLDER holds `vectors.npy` and `queries.npy`; the document of row n holds `n % m` in each FIELD `in_m`, which is
indexed as an integer. One line of JSON is printed when all is indexed, and one for each line read, a FIELD or nothing
for no filter: `seconds` of each search, and `rows` that it found. Segments are optimised to the end before anything is
measured; ef and the graph are those that ours is searched and built with.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeVectorParams,
    FieldCondition,
    Filter,
    HnswIndexConfig,
    MatchValue,
    PayloadSchemaType,
    Point,
    Query,
    SearchParams,
    SearchRequest,
    UpdateOperation,
)

AT_ONCE = 1000


def say(**figures: object) -> None:
    print(json.dumps(figures), flush=True)


def loaded(folder: Path, m: int, ef_construct: int, fields: list[str]) -> EdgeShard:
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    shard = EdgeShard.create(
        str(folder / "shard"),
        EdgeConfig(
            vectors=EdgeVectorParams(size=vectors.shape[1], distance=Distance.Dot),
            hnsw_config=HnswIndexConfig(m=m, ef_construct=ef_construct, full_scan_threshold=1000),
            optimizers=EdgeOptimizersConfig(indexing_threshold=1000),
        ),
    )
    for field in fields:
        shard.update(UpdateOperation.create_field_index(field, PayloadSchemaType.Integer))
    for start in range(0, len(vectors), AT_ONCE):
        points = [
            Point(start + n, vector.tolist(), {field: (start + n) % int(field.removeprefix("in_")) for field in fields})
            for n, vector in enumerate(vectors[start : start + AT_ONCE])
        ]
        shard.update(UpdateOperation.upsert_points(points))
    return shard


def main() -> None:
    folder, (m, ef_construct, ef, k) = Path(sys.argv[1]), map(int, sys.argv[2:6])
    began = time.perf_counter()
    shard = loaded(folder, m, ef_construct, sys.argv[6:])
    written = time.perf_counter() - began
    while shard.optimize():
        pass
    say(written_s=written, indexed_s=time.perf_counter() - began - written)
    queries = [query.tolist() for query in np.load(folder / "queries.npy")]
    for line in sys.stdin:
        field = line.strip()
        wanted = Filter(must=[FieldCondition(field, match=MatchValue(0))]) if field else None
        seconds, rows = [], []
        for query in queries:
            request = SearchRequest(Query.Nearest(query), k, filter=wanted, params=SearchParams(hnsw_ef=ef))
            began = time.perf_counter()
            found = shard.search(request)
            seconds.append(time.perf_counter() - began)
            rows.append([point.id for point in found])
        say(seconds=seconds, rows=rows)


if __name__ == "__main__":
    main()
